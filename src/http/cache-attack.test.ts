// Attacks on the cache through the front's own sockets: what one client sends must not decide what others get.

import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import type { RouteCache } from '../wire/cache-messages.ts';
import { withFront, type FakeProcess, type TestFront, type TestFrontOptions } from './front.test.support.ts';

const FRESH = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: max-age=60\r\n';

function caching(options: Partial<TestFrontOptions> = {}, cache: Partial<RouteCache> = {}): TestFrontOptions {
  return { routes: [{ prefix: '/', group: 'app', cache: { mode: 'standard', ...cache } }], ...options };
}

/** Sends a whole request head; everything that comes back. */
function raw(front: TestFront, text: string): Promise<string> {
  const one = front.client();
  one.write(text);
  return one.rest();
}

function get(front: TestFront, target: string, fields = 'Host: localhost\r\n'): Promise<string> {
  return raw(front, `GET ${target} HTTP/1.1\r\n${fields}Connection: close\r\n\r\n`);
}

/** The app answers with all that it was told: whoever can change that for others poisons them. */
function echo(app: FakeProcess, head: (target: string) => string = () => FRESH): { count: number } {
  const seen = { count: 0 };
  app.onRequest = (channel, request): void => {
    seen.count += 1;
    const told = request.fields.filter((_, index) => {
      const name = request.fields[index - (index % 2)]!;
      return /^(?:host|x-|forwarded)/i.test(name);
    });
    app.answer(channel, `${seen.count} ${request.method} ${request.target} ${told.join(' ')}.`, head(request.target));
  };
  return seen;
}

test('another Host, another port and a trailing dot share nothing with the first', () =>
  withFront(caching(), async (front) => {
    echo(await front.join());
    const bodies = new Set<string>();
    const hosts = ['localhost', 'evil.example', 'localhost:81', 'localhost.'];
    for (const host of hosts) {
      const got = await get(front, '/', `Host: ${host}\r\n`);
      assert.match(got, new RegExp(`Host ${host.replaceAll('.', '\\.')}[ .]`), host);
      bodies.add(got.split('\r\n\r\n')[1]!);
    }
    assert.equal(bodies.size, hosts.length);
    assert.match(await get(front, '/', 'Host: LOCALHOST\r\n'), /\r\n\r\n1 GET/);
  }));

test('two Hosts, a Host other than that of the target, and a broken one are refused', () =>
  withFront(caching(), async (front) => {
    const seen = echo(await front.join());
    for (const [target, fields] of [
      ['/', 'Host: localhost\r\nHost: evil.example\r\n'],
      ['http://localhost/', 'Host: evil.example\r\n'],
      ['/', 'Host: localhost@evil.example\r\n'],
      ['/', 'Host : evil.example\r\n'],
    ]) {
      assert.match(await get(front, target!, fields), /^HTTP\/1\.1 400 /, fields);
    }
    assert.equal(seen.count, 0);
  }));

test('fields by which a client claims host, scheme or path decide for nobody else', () =>
  withFront(caching(), async (front) => {
    echo(await front.join());
    const names = [
      'X-Forwarded-Host', 'X-Forwarded-Proto', 'X-Forwarded-Port', 'X-Forwarded-Scheme', 'X-Forwarded-Prefix',
      'X-Host', 'X-Original-URL', 'X-Rewrite-URL', 'X-HTTP-Method-Override',
    ];
    for (const [index, name] of names.entries()) {
      await get(front, `/${index}`, `Host: localhost\r\n${name}: evil\r\n`);
      assert.doesNotMatch(await get(front, `/${index}`), /evil/, name);
    }
    await get(front, '/f', 'Host: localhost\r\nForwarded: host=evil;proto=https\r\n');
    assert.doesNotMatch(await get(front, '/f'), /evil/);
  }));

test('the absolute form has the key of its path on its host, and no more than that', () =>
  withFront(caching(), async (front) => {
    const seen = echo(await front.join());
    await get(front, '/a?b');
    assert.match(await get(front, 'http://localhost/a?b'), /\r\n\r\n1 GET/);
    assert.match(await get(front, 'http://LOCALHOST/a?b'), /\r\n\r\n1 GET/);
    assert.equal(seen.count, 1);
    await get(front, 'http://evil.example/a?b', 'Host: evil.example\r\n');
    assert.equal(seen.count, 2);
  }));

test('a query is compared byte for byte: repeated, reordered, empty', () =>
  withFront(caching(), async (front) => {
    const seen = echo(await front.join());
    const targets = ['/?a=1', '/?a=1&a=2', '/?a=2&a=1', '/?a=1;a=2', '/?A=1', '/?a=%31', '/', '/?', '/?a=1&'];
    for (const target of targets) await get(front, target);
    for (const [index, target] of targets.entries()) {
      assert.ok((await get(front, target)).includes(`\r\n\r\n${index + 1} GET ${target} `), target);
    }
    assert.equal(seen.count, targets.length);
  }));

test('a GET with a body neither stores nor gets a kept answer', () =>
  withFront(caching(), async (front) => {
    echo(await front.join());
    const fat = 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 4\r\n\r\nevil';
    assert.match(await raw(front, fat), /\r\n\r\n1 GET/);
    assert.match(await get(front, '/'), /\r\n\r\n2 GET/);
    assert.match(await raw(front, fat), /\r\n\r\n3 GET/);
    assert.match(await get(front, '/'), /\r\n\r\n2 GET/);
  }));

test('an answer that was split, or two answers in one, are kept under no URL', () =>
  withFront(caching(), async (front) => {
    const app = await front.join();
    const extra = 'HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 4\r\n\r\nevil';
    app.onRequest = (channel): void => {
      app.data(channel, `${FRESH}Content-Length: 4\r\n\r\nfine${extra}`);
      app.end(channel);
    };
    const one = front.client();
    one.write('GET /a HTTP/1.1\r\nHost: localhost\r\n\r\nGET /b HTTP/1.1\r\nHost: localhost\r\n\r\n');
    assert.doesNotMatch(await one.rest(), /evil/);
    app.onRequest = (channel): void => app.answer(channel, 'fine', FRESH);
    for (const target of ['/a', '/b']) assert.match(await get(front, target), /\r\n\r\nfine$/);
    // A bare CR in a field is where a reader less strict would split.
    app.onRequest = (channel): void => {
      const head = FRESH.replace('\r\n', '\r\nX-A: a\rSet-Cookie: evil=1\r\n');
      app.data(channel, `${head}Content-Length: 1\r\n\r\nx`);
      app.end(channel);
    };
    assert.match(await get(front, '/c'), /^HTTP\/1\.1 502 /);
    const shown = front.front.cache({ kind: 'show', target: '/c' });
    assert.deepEqual(shown.kind === 'shown' ? shown.rows : null, []);
  }));

test('a suffix makes no private page public', () =>
  withFront(caching({}, { guessesFreshness: true }), async (front) => {
    const head = (target: string): string => FRESH.replace(
      'max-age=60', target.startsWith('/account') ? 'private, max-age=60' : 'max-age=60',
    );
    const seen = echo(await front.join(), head);
    const targets = ['/account/x.css', '/account;x.js', '/account%2Fx.png', '/account?x.ico', '/account/..%2fx.css'];
    for (const target of targets) {
      await get(front, target, 'Host: localhost\r\nCookie: me=1\r\n');
      assert.doesNotMatch(await get(front, target), /Age:/, target);
    }
    assert.equal(seen.count, targets.length * 2);
    // Without a word of the app nothing is kept because of how its URL ends.
    const plain = echo(await front.join('p2'), () => 'HTTP/1.1 200 OK\r\nContent-Type: text/css\r\n');
    front.front.forget('p1');
    for (let turn = 0; turn < 2; turn++) await get(front, '/x.css');
    assert.equal(plain.count, 2);
  }));

test('variants without end stay within their bound and drive nobody out', () =>
  withFront(caching(), async (front) => {
    const seen = echo(await front.join(), () => `${FRESH}Vary: User-Agent\r\n`);
    await get(front, '/other');
    for (let index = 0; index < 100; index++) await get(front, '/', `Host: localhost\r\nUser-Agent: ${index}\r\n`);
    const shown = front.front.cache({ kind: 'show' });
    assert(shown.kind === 'shown');
    assert.equal(shown.report.entries, 33, '32 of one URL and the other one');
    const before = seen.count;
    assert.match(await get(front, '/other'), /\r\n\r\n1 GET/);
    assert.equal(seen.count, before);
  }));

test('10 000 URLs and more stay within the bound in bytes', () =>
  withFront(caching({ limits: { cacheBytesMax: 1_048_576 } }), async (front) => {
    const app = await front.join();
    app.onRequest = (channel): void => app.answer(channel, 'x'.repeat(1000), FRESH);
    const one = front.client();
    for (let start = 0; start < 10_500; start += 500) {
      let text = '';
      for (let index = start; index < start + 500; index++) {
        text += `GET /${index} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
      }
      one.write(text);
      one.received = '';
      await one.until(`\r\n\r\n${'x'.repeat(1000)}`);
      const { bytes, bytesMax } = front.front.report().cache;
      assert.ok(bytes <= bytesMax, `${bytes} of ${bytesMax}`);
    }
    one.write('GET /last HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    await one.rest();
    const { bytes, entries, counters } = front.front.report().cache;
    assert.equal(counters.stored, 10_501);
    assert.equal(counters.evicted, 10_501 - entries);
    assert.ok(bytes <= 1_048_576 && entries > 300, `${entries} entries, ${bytes} bytes`);
  }));
