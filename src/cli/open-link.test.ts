// Where a link is opened, and by what.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { openerFor, openLink, type Desktop } from './open-link.ts';

const SERVER: Desktop = { environment: {}, platform: 'linux', isTerminal: true };
const AT_DESK: Desktop = { ...SERVER, environment: { DISPLAY: ':0' } };

test('a link is opened for a person at a desktop, not in a script or on a server', () => {
  assert.deepEqual(openerFor('where-a-person-is', AT_DESK), ['xdg-open']);
  assert.deepEqual(openerFor('where-a-person-is', { ...SERVER, environment: { WAYLAND_DISPLAY: 'w' } }), ['xdg-open']);
  assert.equal(openerFor('where-a-person-is', { ...AT_DESK, isTerminal: false }), null);
  assert.equal(openerFor('where-a-person-is', SERVER), null);
  assert.equal(openerFor('no', AT_DESK), null);
});

test('--open opens it in a script too, by BROWSER or the way of the system', () => {
  assert.deepEqual(openerFor('yes', { ...AT_DESK, isTerminal: false }), ['xdg-open']);
  assert.deepEqual(openerFor('yes', { ...SERVER, environment: { BROWSER: 'lynx' } }), ['lynx']);
  assert.deepEqual(openerFor('yes', { ...SERVER, platform: 'darwin' }), ['open']);
  assert.equal(openerFor('yes', { ...SERVER, platform: 'win32' })?.[0], 'rundll32');
  assert.throws(() => openerFor('yes', SERVER), { code: 'OPTION_INVALID' });
});

test('a browser that is not there is an error', async () => {
  await assert.rejects(openLink(['/nowhere/browser'], 'http://x/'), { code: 'OPTION_INVALID' });
});
