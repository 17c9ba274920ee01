// The verb against a control socket of a host that is this process.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { CONTROL_SOCKET, type CacheShown } from '../wire/control-messages.ts';
import { cache } from './cache.ts';

const SHOWN: CacheShown = {
  report: {
    bytes: 1234, bytesMax: 67_108_864, entries: 1,
    counters: {
      hits: 5, stale: 1, misses: 2, bypassed: 3, unavailable: 0, collapsed: 4, revalidated: 6, stored: 7, evicted: 8,
      expired: 9, purged: 10, refused: { 'no-store': 11, private: 12 },
    },
  },
  rows: [{
    url: 'http://localhost/a\u001b[31m', status: 200, bytes: 1000, ageSeconds: 3, freshSeconds: 60, hits: 5, vary: [],
    tags: ['red'],
  }],
};

interface Ran {
  /** Runs the verb; what it printed. */
  run: (...words: string[]) => Promise<string>;
  /** What the host was asked. */
  asked: unknown[];
}

async function withHost(t: TestContext, shown: CacheShown = SHOWN): Promise<Ran> {
  const home = mkdtempSync(join(tmpdir(), 'slip-cli-'));
  const folder = join(home, `run-${process.pid}`);
  mkdirSync(folder, { mode: 0o700 });
  const asked: unknown[] = [];
  const server = createServer((socket) => {
    socket.setEncoding('utf8').on('data', (line: string) => {
      const request = JSON.parse(line) as { verb: string };
      asked.push(request);
      socket.end(`${JSON.stringify({ kind: 'done', result: request.verb === 'cache-show' ? shown : {} })}\n`);
    });
  }).listen(join(folder, CONTROL_SOCKET));
  await once(server, 'listening');
  const before = process.env['SLIPSTREAM_HOME'];
  process.env['SLIPSTREAM_HOME'] = home;
  t.after(() => {
    if (before === undefined) delete process.env['SLIPSTREAM_HOME'];
    else process.env['SLIPSTREAM_HOME'] = before;
    server.close();
    rmSync(home, { recursive: true, force: true });
  });
  const run = async (...words: string[]): Promise<string> => {
    let text = '';
    const write = process.stdout.write.bind(process.stdout);
    // The reports of the runner are bytes and go on their way.
    const print = t.mock.method(process.stdout, 'write', (part: string | Uint8Array) => {
      if (typeof part !== 'string') return write(part);
      text += part;
      return true;
    });
    try {
      await cache(words);
    } finally {
      print.mock.restore();
    }
    return text;
  };
  return { run, asked };
}

test('cache show prints counters, reasons and rows, without control characters', async (t) => {
  const { run, asked } = await withHost(t);
  const text = await run('show');
  assert.match(text, /^1 answers, 1234 of 67108864 bytes\nhits 5, stale 1, misses 2, bypassed 3, /);
  assert.match(text, /not kept: no-store 11, private 12\n/);
  assert.match(text, /http:\/\/localhost\/a.* +200 +1000 +3\/60 s +5/);
  // eslint-disable-next-line no-control-regex -- that is what must not be there
  assert.doesNotMatch(text, /\u001b/);
  await run('show', '/shop/');
  assert.deepEqual(asked, [{ verb: 'cache-show' }, { verb: 'cache-show', target: '/shop/' }]);
  assert.deepEqual(JSON.parse(await run('show', '--json')), SHOWN);
});

test('an empty cache is one line of size and one of counters', async (t) => {
  const counters = { ...SHOWN.report.counters, refused: {} };
  const { run } = await withHost(t, { report: { ...SHOWN.report, entries: 0, counters }, rows: [] });
  assert.equal((await run('show')).split('\n').length, 3);
});

test('cache purge names one thing, and says what it did', async (t) => {
  const { run, asked } = await withHost(t);
  assert.equal(await run('purge', '/a'), 'purged /a\n');
  assert.equal(await run('purge', '/a', '--recursive'), 'purged /a\n');
  assert.equal(await run('purge', '--tag', 'red'), 'purged tag red\n');
  assert.equal(await run('purge', '--all'), 'purged everything\n');
  assert.deepEqual(JSON.parse(await run('purge', '/a', '--json')), { purged: true });
  assert.deepEqual(asked.slice(0, 4), [
    { verb: 'cache-purge', isRecursive: false, target: '/a' },
    { verb: 'cache-purge', isRecursive: true, target: '/a' },
    { verb: 'cache-purge', isRecursive: false, tag: 'red' },
    { verb: 'cache-purge', isRecursive: false },
  ]);
});

test('words that mean nothing, or two things, are refused and nothing is asked', async (t) => {
  const { run, asked } = await withHost(t);
  const words = [
    [], ['drop'], ['purge'], ['purge', '/a', '--all'], ['purge', '/a', '--tag', 'x'], ['purge', '/a', '/b'],
  ];
  for (const each of words) await assert.rejects(run(...each), { code: 'OPTION_INVALID' }, each.join(' '));
  assert.deepEqual(asked, []);
});
