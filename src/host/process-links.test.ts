// What two fronts tell of processes, merged: when an app may rely on a process, and who is waited for.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { ProcessLinks } from './process-links.ts';

const SHOP = { id: 'shop#1', group: 'shop', key: 'k1' };
const NEXT = { id: 'shop#2', group: 'shop', key: 'k2' };

/** Two fronts that serve, and a process of the shop that is expected. */
function twoFronts(): ProcessLinks {
  const links = new ProcessLinks();
  links.serving(0);
  links.serving(1);
  links.expect(SHOP);
  return links;
}

function ready(links: ProcessLinks, id = SHOP.id): void {
  links.ready(0, id);
  links.ready(1, id);
}

test('ProcessLinks calls a process ready when every serving front has it, or when it took too long', () => {
  const links = twoFronts();
  assert.deepEqual(links.ready(0, SHOP.id), [{ kind: 'coming', process: SHOP.id }]);
  assert.deepEqual(links.ready(1, SHOP.id), [{ kind: 'ready', process: SHOP.id }]);
  assert.deepEqual(links.late(SHOP.id), []);
  links.expect(NEXT);
  links.ready(1, NEXT.id);
  assert.deepEqual(links.late(NEXT.id), [{ kind: 'ready', process: NEXT.id }]);
});

test('ProcessLinks does not wait for a front that is gone', () => {
  const links = twoFronts();
  links.ready(0, SHOP.id);
  assert.deepEqual(links.lost(1), [{ kind: 'ready', process: SHOP.id }]);
  // Its successor finds the process ready already.
  links.serving(1);
  assert.deepEqual(links.ready(1, SHOP.id), []);
});

test('ProcessLinks calls a process unlinked when the last front lost it, and unready when it listens nowhere', () => {
  const links = twoFronts();
  ready(links);
  assert.deepEqual(links.unlinked(0, SHOP.id), []);
  assert.deepEqual(links.lost(1), [{ kind: 'unlinked', process: SHOP.id }]);
  ready(links);
  assert.deepEqual(links.unready(0, SHOP.id), []);
  assert.deepEqual(links.unready(1, SHOP.id), [{ kind: 'unready', process: SHOP.id }]);
  assert.deepEqual(links.unlinked(0, SHOP.id), []);
  assert.deepEqual(links.unlinked(1, SHOP.id), [{ kind: 'unlinked', process: SHOP.id }]);
});

test('ProcessLinks tells the end of the link of a process that was never ready', () => {
  const links = twoFronts();
  assert.deepEqual(links.unlinked(0, SHOP.id), [{ kind: 'unlinked', process: SHOP.id }]);
  assert.deepEqual(links.unlinked(0, 'unknown'), []);
});

test('ProcessLinks calls a retired process drained when all fronts say so, are gone, or it is forgotten', () => {
  const links = twoFronts();
  ready(links);
  const drained = [{ kind: 'drained', process: SHOP.id }];
  assert.deepEqual(links.retire(SHOP.id), []);
  assert.deepEqual(links.retired, [SHOP.id]);
  assert.deepEqual(links.drained(0, SHOP.id), []);
  assert.deepEqual(links.lost(1), drained);
  links.expect(NEXT);
  assert.deepEqual(links.retire(SHOP.id), [{ kind: 'drained', process: SHOP.id }], 'asked again');
  links.retire(NEXT.id);
  assert.deepEqual(links.forget(NEXT.id), [{ kind: 'drained', process: NEXT.id }]);
  assert.deepEqual(links.expected, [SHOP]);
  assert.deepEqual(links.retire('unknown'), [{ kind: 'drained', process: 'unknown' }]);
});

test('ProcessLinks starts nothing for a front that only lacks its link to a ready process', () => {
  const links = twoFronts();
  const activate = [{ kind: 'activate', group: 'shop' }];
  assert.deepEqual(links.activate(0, 'shop'), activate);
  ready(links);
  links.lost(1);
  links.serving(1);
  assert.deepEqual(links.activate(1, 'shop'), []);
  // Now there is none that it could be linked with.
  assert.deepEqual(links.retire(SHOP.id), activate);
  links.expect(NEXT);
  links.ready(0, NEXT.id);
  links.ready(1, NEXT.id);
  assert.deepEqual(links.unlinked(1, NEXT.id), []);
  assert.deepEqual(links.unlinked(0, NEXT.id), [{ kind: 'unlinked', process: NEXT.id }]);
});

test('ProcessLinks tells that nobody waits any more when the fronts are gone that did', () => {
  const links = twoFronts();
  links.activate(0, 'shop');
  links.activate(1, 'shop');
  assert.deepEqual(links.lost(0), []);
  assert.deepEqual(links.lost(1), [{ kind: 'deactivate', group: 'shop' }]);
  links.serving(0);
  links.activate(0, 'shop');
  links.failed('shop');
  assert.deepEqual(links.lost(0), []);
});

test('ProcessLinks knows which links a new front lacks', () => {
  const links = twoFronts();
  ready(links);
  assert.deepEqual(links.readyAt(1), [SHOP.id]);
  links.lost(1);
  assert.equal(links.isAwaited(SHOP.id, 1), true);
  links.ready(1, SHOP.id);
  assert.equal(links.isAwaited(SHOP.id, 1), false);
  assert.equal(links.isAwaited('unknown', 1), false);
});
