// Edits of `listen`: what stays, what is taken over, and that a bad one changes nothing.

import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { HostError } from '../base/host-error.ts';
import { Listeners } from './listeners.ts';

function listenersAt(t: TestContext, ...texts: string[]): Listeners {
  const listeners = new Listeners(texts);
  t.after(() => listeners.close());
  return listeners;
}

const FREE = 'http://127.0.0.1:0';

test('Listeners keeps what an edit keeps, binds what is new and closes what is gone', (t) => {
  const listeners = listenersAt(t, FREE, 'http://localhost:0');
  const [kept] = listeners.bound;
  const edit = listeners.prepare([FREE, 'https://127.0.0.1:0']);
  assert.equal(edit.added.length, 1);
  assert.match(edit.added[0]!.origin, /^https:\/\/127\.0\.0\.1:\d+$/);
  assert.deepEqual(edit.removed.map(({ text }) => text), edit.removed.map(() => 'http://localhost:0'));
  edit.commit();
  assert.equal(listeners.bound[0], kept);
  assert.deepEqual(listeners.urls, [`${kept!.origin}/`, `${edit.added[0]!.origin}/`]);
});

test('Listeners takes a socket over when the scheme at its address changes', (t) => {
  const first = new Listeners([FREE]);
  const { port } = first.bound[0]!;
  first.close();
  const listeners = listenersAt(t, `http://localhost:${port}`);
  const { handle } = listeners.bound.find(({ origin }) => origin.includes('127.0.0.1'))!;
  const edit = listeners.prepare([`https://127.0.0.1:${port}`]);
  assert.equal(edit.added[0]!.handle, handle);
  edit.commit();
  assert.deepEqual(listeners.bound.map(({ origin }) => origin), [`https://127.0.0.1:${port}`]);
  assert.equal(handle.getsockname({}), 0, 'it is open still');
});

test('Listeners refuses an edit as a whole and names what holds the port', async (t) => {
  const listeners = listenersAt(t, FREE);
  const other = listenersAt(t, FREE);
  // As fronts do: a socket that is bound only does not hold its address against others.
  for (const { handle } of [...listeners.bound, ...other.bound]) {
    const server = createServer().listen(handle);
    await once(server, 'listening');
    t.after(() => server.close());
  }
  const before = listeners.bound;
  const { port } = other.bound[0]!;
  const refused = (texts: string[], code: string, message: RegExp): void => {
    assert.throws(() => listeners.prepare(texts), (error) => {
      return error instanceof HostError && error.code === code && message.test(error.message);
    });
    assert.deepEqual(listeners.bound, before);
  };
  refused([FREE, `http://127.0.0.1:${port}`], 'LISTEN_FAILED', /taken by another process/);
  refused([FREE, `http://*:${before[0]!.port}`], 'LISTEN_FAILED', /this host holds the port/);
  refused(['http://shop'], 'OPTION_INVALID', /neither an IP address/);
});

test('Listeners refuses a listener with TLS where its caller does', (t) => {
  const listeners = listenersAt(t, FREE);
  const before = listeners.bound;
  const asked: string[] = [];
  const refuse = (text: string): void => {
    asked.push(text);
    throw new HostError('TLS_CERTIFICATE_MISSING', 'there is none');
  };
  assert.throws(() => listeners.prepare([FREE, 'https://127.0.0.1:0'], refuse), /there is none/);
  assert.deepEqual(asked, ['https://127.0.0.1:0']);
  assert.deepEqual(listeners.bound, before);
});
