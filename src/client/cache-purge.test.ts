// Purging at several fronts, of which some are away.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { HostError } from '../base/host-error.ts';
import type { Purging } from '../wire/link-messages.ts';
import { CachePurger, type PurgeLink } from './cache-purge.ts';

class FakeLink implements PurgeLink {
  isOpen = true;
  readonly sent: Purging[] = [];

  sendPurge(purging: Purging): void {
    if (this.isOpen) this.sent.push(purging);
  }
}

function twoFronts(): { purger: CachePurger; here: FakeLink; there: FakeLink; done(purge: Promise<void>): boolean[] } {
  const here = new FakeLink();
  const there = new FakeLink();
  const done = (purge: Promise<void>): boolean[] => {
    const ends: boolean[] = [];
    void purge.then(() => ends.push(true), () => ends.push(false));
    return ends;
  };
  return { purger: new CachePurger(() => [here, there]), here, there, done };
}

/** Lets promises settle. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('CachePurger waits for every front', async () => {
  const { purger, here, there, done } = twoFronts();
  const ends = done(purger.purge({ tag: 'news' }));
  assert.deepEqual([here.sent, there.sent], [[{ tag: 'news', id: 1 }], [{ tag: 'news', id: 1 }]]);
  purger.purged({ id: 1, isValid: true }, here);
  purger.purged({ id: 1, isValid: true }, here);
  await turn();
  assert.deepEqual(ends, []);
  purger.purged({ id: 1, isValid: true }, there);
  await turn();
  assert.deepEqual(ends, [true]);
});

test('CachePurger asks a front that was away, and one that lost its link before it answered', async () => {
  const { purger, here, there, done } = twoFronts();
  there.isOpen = false;
  const ends = done(purger.purge({}));
  there.isOpen = true;
  purger.welcomed(there);
  purger.welcomed(here);
  assert.deepEqual([here.sent.length, there.sent.length], [2, 1]);
  purger.purged({ id: 1, isValid: true }, here);
  purger.purged({ id: 1, isValid: true }, there);
  await turn();
  assert.deepEqual(ends, [true]);
  purger.welcomed(there);
  assert.equal(there.sent.length, 1);
});

test('CachePurger refuses a target that a front refuses', async () => {
  const { purger, here } = twoFronts();
  const purge = purger.purge({ target: 'x' });
  purger.purged({ id: 1, isValid: false }, here);
  await assert.rejects(purge, (error) => error instanceof HostError && error.code === 'CACHE_TARGET_INVALID');
});
