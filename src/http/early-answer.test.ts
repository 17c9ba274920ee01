import { test } from 'node:test';
import assert from 'node:assert/strict';
import { DISCARD_BYTES_MAX } from './connection.ts';
import { withFront } from './front.test.support.ts';

test('behind an early answer the rest of a large body is read, then the next request', () =>
  withFront({}, async ({ join, client }) => {
    const app = await join();
    const browser = client();
    const length = 3_000_000;
    for (const framing of ['length', 'chunked']) {
      const field = framing === 'length' ? `Content-Length: ${length}` : 'Transfer-Encoding: chunked';
      browser.write(`POST / HTTP/1.1\r\nHost: localhost\r\n${field}\r\n\r\n`);
      const { channel } = await app.request();
      app.answer(channel, 'early');
      assert.match(await browser.until('early'), /\r\nConnection: keep-alive\r\n/);
      if (framing === 'chunked') browser.write(`${length.toString(16)}\r\n`);
      browser.write(Buffer.alloc(length));
      if (framing === 'chunked') browser.write('\r\n0\r\n\r\n');
      browser.get('/next');
      const next = await app.request();
      app.answer(next.channel, 'second');
      await browser.until('second');
    }
  }));

test('an early answer with too long a rest to come says close, and can be read', () =>
  withFront({}, async ({ join, client }) => {
    const app = await join();
    const browser = client();
    const length = DISCARD_BYTES_MAX + 10_000_000;
    browser.write(`POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${length}\r\n\r\n`);
    const { channel } = await app.request();
    app.answer(channel, 'early');
    browser.write(Buffer.alloc(3_000_000));
    assert.match(await browser.rest(), /\r\nConnection: close\r\n.*early$/s);
    browser.socket.end();
    assert.equal(await browser.closed, 'end');
  }));
