// Requests with the secret of a group, and without it, before a whole front.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { Diversion } from '../wire/front-messages.ts';
import { isDiverted } from './diversion.ts';
import { withFront } from './front.test.support.ts';

const SECRET = 'x8Zk2mQ0v7Lr4TnB';
const ASIDE: Diversion = { group: 'aside', cookie: 'slipstream.debug', field: 'slipstream-debug', secret: SECRET };

test('the secret counts in its cookie and in its field, and nothing else does', () => {
  const yes = [
    ['Cookie', `a=b; slipstream.debug=${SECRET}`],
    ['Slipstream-Debug', SECRET],
    ['Host', 'x', 'cookie', `slipstream.debug=${SECRET}; a=b`],
  ];
  const no = [
    [],
    ['Cookie', 'slipstream.debug='],
    ['Cookie', `slipstream.debug=${SECRET}x`],
    ['Cookie', `slipstream.debug=${SECRET.slice(1)}`],
    ['Cookie', `slipstream.other=${SECRET}`],
    ['Slipstream-Debug', ''],
    ['Slipstream-Debug', SECRET.toLowerCase()],
    ['X-Slipstream-Debug', SECRET],
  ];
  for (const fields of yes) assert.equal(isDiverted(ASIDE, fields), true, fields.join(' '));
  for (const fields of no) assert.equal(isDiverted(ASIDE, fields), false, fields.join(' '));
});

test('requests with the secret go aside, others of the same connection do not', async () => {
  const groups = [
    { id: 'app', name: 'shop', onDemand: true, diversion: ASIDE },
    { id: 'aside', name: 'shop, aside', onDemand: true },
  ];
  await withFront({ groups, processes: ['p1', 'p2@aside'] }, async ({ front, join, client }) => {
    const app = await join('p1');
    const aside = await join('p2@aside');
    const browser = client();
    const shown = `Cookie: slipstream.debug=${SECRET}\r\n`;
    for (const [cookie, process] of [['', app], [shown, aside], ['', app]] as const) {
      browser.get('/', cookie);
      process.answer((await process.request()).channel, 'hello');
      await browser.until('hello');
    }
    // Held: it waits, and nobody else does.
    front.hold('p2@aside', true);
    const own = client();
    own.get('/', `Slipstream-Debug: ${SECRET}\r\n`);
    browser.get('/');
    app.answer((await app.request()).channel, 'of the pool');
    await browser.until('of the pool');
    assert.equal(front.report().waiting['aside'], 1);
    front.hold('p2@aside', false);
    aside.answer((await aside.request()).channel, 'goes on');
    await own.until('goes on');
  });
});

test('a decision to pass may add fields to the answer', () =>
  withFront({
    routes: [{ prefix: '/debug/', group: 'app', ask: 'door' }],
    ask: () => ({ kind: 'pass', fields: ['Set-Cookie', 'a=b'] }),
  }, async ({ join, client }) => {
    const process = await join();
    const browser = client();
    browser.get('/debug/');
    process.answer((await process.request()).channel, 'page');
    assert.match(await browser.until('page'), /\r\nSet-Cookie: a=b\r\n/);
    browser.get('/debug/more');
    process.answer((await process.request()).channel, 'more');
    assert.doesNotMatch(await browser.until('more'), /Set-Cookie/);
  }));
