import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { test } from 'node:test';
import { LINK } from '../wire/link-messages.ts';
import { FrontLinks } from './host-link.ts';
import { ScriptedFront } from './scripted-front.test.ts';
import { planListen } from './server-listen.ts';
import { serve } from './served-app.test.ts';

const NO_FRAMES = {
  open: () => null,
  request: () => {},
  data: () => {},
  end: () => {},
  credit: () => {},
  gone: () => {},
};

test('FrontLinks says who the process is and registers its server', async (t) => {
  const { link } = await serve(t, (_, response) => response.end());
  assert.deepEqual(link.hello, { version: 1, pid: process.pid, key: 'key-1', title: 'test' });
  assert.deepEqual(link.registrations, [{ id: 1, prefixes: [] }]);
});

test('FrontLinks dials again and registers again when the front is killed', async (t) => {
  const aborted = new EventEmitter();
  const { front, server } = await serve(t, (request, response) => {
    if (request.url === '/slow') request.on('close', () => aborted.emit('aborted'));
    else response.end('here');
  });
  front.link.open().request({ target: '/slow' });
  assert.equal((await front.link.open().request().answer()).body, 'here');
  const over = once(aborted, 'aborted');
  await front.kill();
  await over;
  await front.listen();
  await front.until(() => front.links.length >= 2 && front.link.registrations.length === 1);
  assert.equal((await front.link.open().request().answer()).body, 'here');
  assert.equal(server.listening, true);
});

test('FrontLinks reports that no front was there for the grace time', async (t) => {
  const reason = await new Promise<string>((resolve) => {
    const links = new FrontLinks({
      paths: ['/nowhere/front.sock'],
      graceMs: () => 20,
      frames: NO_FRAMES,
      onAbandoned: resolve,
    });
    t.after(() => links.stop());
    links.setReferenced(true);
    links.start();
  });
  assert.match(reason, /ENOENT/);
});

test('FrontLinks answers PING', async (t) => {
  const { front, link } = await serve(t, () => {});
  link.writer.empty(LINK.PING, 0);
  await front.until(() => link.pongs === 1);
});

test('FrontLinks drops a link that sends a broken frame, and dials again', async (t) => {
  const { front, link } = await serve(t, () => {});
  link.socket.write(Buffer.alloc(64, 0xff));
  await front.until(() => front.links.length === 2 && front.link.registrations.length === 1);
});

test('FrontLinks takes frames that are split at every byte', async (t) => {
  const { link } = await serve(t, (request, response) => request.pipe(response));
  const channel = link.open();
  const { socket } = link;
  const write = socket.write.bind(socket);
  // Each byte goes out as a write of its own, in a turn of its own.
  const bytes: number[] = [];
  socket.write = ((chunk: Buffer) => bytes.push(...chunk) > 0) as typeof socket.write;
  channel.request({ method: 'POST', ended: false });
  await channel.send(Buffer.from('some bytes'));
  channel.end();
  link.writer.flush();
  socket.write = write;
  for (const byte of bytes) {
    write(Buffer.from([byte]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal((await channel.answer()).body, 'some bytes');
});

test('a front that refuses a registration makes the server emit an error and close', async (t) => {
  const { front, link, server } = await serve(t, () => {});
  const failed = once(server, 'error');
  const refusal = { code: 'PREFIX_TAKEN', message: 'held by 17', id: 1 };
  link.writer.json(LINK.REFUSED, 0, refusal);
  const [error] = await failed;
  assert.equal(error.code, 'PREFIX_TAKEN');
  await front.until(() => link.unregistered.length === 1);
  assert.equal(server.listening, false);
});

test('a REFUSED hello is a failed dial', async (t) => {
  const folder = await ScriptedFront.start();
  t.after(() => folder.stop());
  const path = `${folder.path}2`;
  const refusing = net.createServer((socket) => {
    const payload = Buffer.from(JSON.stringify({ code: 'LINK_REFUSED', message: 'who are you' }));
    const head = Buffer.alloc(9);
    head.writeUInt32BE(payload.length, 0);
    head[4] = LINK.REFUSED;
    socket.on('error', () => socket.destroy());
    socket.end(Buffer.concat([head, payload]));
  });
  refusing.listen(path);
  await once(refusing, 'listening');
  t.after(() => refusing.close());
  const reason = await new Promise<string>((resolve) => {
    const options = { paths: [path], graceMs: () => 1, frames: NO_FRAMES, onAbandoned: resolve };
    const links = new FrontLinks(options);
    t.after(() => links.stop());
    links.setReferenced(true);
    links.start();
  });
  assert.equal(reason, 'who are you');
});

test('several fronts each get the registration, and either may send requests', async (t) => {
  const { front, listen } = await serve(t, (_, response) => response.end('x'));
  const other = http.createServer();
  assert.equal(listen.listen(other, planListen([3000, '127.0.0.1'])!), true);
  other.close();
  assert.equal((await front.link.open().request().answer()).body, 'x');
});
