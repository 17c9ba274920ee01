import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { chooseEncoding, createUiFiles, matchesEtag, UI_MANIFEST, uiPolicy } from './ui-files.ts';
import type { UiFile } from './ui-files.ts';

const PAGE = '<!doctype html><title>x</title>';
const CHUNK = 'export const x = 1;\n';

function row(type: string, text: string, rest: Partial<UiFile> = {}): UiFile {
  return { type, bytes: text.length, hash: 'abc', immutable: false, encodings: [], ...rest };
}

let folder: string;
let port: number;
const server = createServer((incoming, response) => {
  const ui = createUiFiles(folder);
  if (!ui.serve(incoming, response, incoming.url!.slice(1))) {
    response.writeHead(404);
    response.end();
  }
});

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'slipstream-ui-'));
  writeFileSync(join(folder, 'index.html'), PAGE);
  writeFileSync(join(folder, 'index.html.br'), 'as if brotli');
  writeFileSync(join(folder, 'index.html.gz'), gzipSync(PAGE));
  writeFileSync(join(folder, 'chunk-ABCDEFGH.js'), CHUNK);
  writeFileSync(join(folder, 'secret.txt'), 'not listed');
  writeFileSync(
    join(folder, UI_MANIFEST),
    JSON.stringify({
      'index.html': row('text/html; charset=utf-8', PAGE, { encodings: ['br', 'gzip'] }),
      'chunk-ABCDEFGH.js': row('text/javascript; charset=utf-8', CHUNK, { immutable: true }),
      'gone.js': row('text/javascript; charset=utf-8', ''),
    }),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});

after(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

interface Got {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

function ask(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Got> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () =>
        resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(parts) }),
      );
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

test('UiFiles serves the page at its empty name, whole and out of reach of other pages', async () => {
  const { status, headers, body } = await ask('/');
  assert.equal(status, 200);
  assert.equal(body.toString(), PAGE);
  assert.equal(headers['content-type'], 'text/html; charset=utf-8');
  assert.equal(headers['content-length'], String(PAGE.length));
  assert.equal(headers['cache-control'], 'no-store');
  assert.match(headers['content-security-policy'] as string, /default-src 'self';.*frame-ancestors 'none'$/);
  assert.doesNotMatch(headers['content-security-policy'] as string, /https?:|\*|unsafe-eval/);
  // The page runs in a sandbox; the files hold nothing of anybody.
  assert.equal(headers['cross-origin-resource-policy'], 'cross-origin');
  assert.equal(headers['access-control-allow-origin'], '*');
  assert.equal(headers['referrer-policy'], 'no-referrer');
  assert.equal(headers['x-content-type-options'], 'nosniff');
});

test('the policy of the page names its host, and nothing that is no host', () => {
  const policy = uiPolicy('apps.example:8443');
  assert.match(policy, /^default-src 'self' http:\/\/apps\.example:8443 https:\/\/apps\.example:8443;/);
  assert.match(policy, /connect-src [^;]* wss:\/\/apps\.example:8443 data:/);
  assert.match(uiPolicy('[::1]:80'), /script-src 'self' http:\/\/\[::1\]:80 /);
  for (const host of ['*', 'a b', 'a;sandbox', "a 'unsafe-eval'", 'a:b', '', undefined]) {
    assert.equal(uiPolicy(host), uiPolicy(), String(host));
  }
});

test('UiFiles sends the compressed copy that the client takes, each with an ETag of its own', async () => {
  const brotli = await ask('/index.html', { 'accept-encoding': 'gzip, deflate, br' });
  assert.deepEqual([brotli.headers['content-encoding'], brotli.body.toString()], ['br', 'as if brotli']);
  const zipped = await ask('/index.html', { 'accept-encoding': 'gzip' });
  assert.equal(zipped.headers['content-encoding'], 'gzip');
  assert.deepEqual(zipped.body, gzipSync(PAGE));
  const plain = await ask('/index.html');
  assert.equal(plain.headers['vary'], 'Accept-Encoding');
  assert.equal(new Set([brotli, zipped, plain].map(({ headers }) => headers['etag'])).size, 3);
});

test('UiFiles keeps hashed names for good and asks again for the others', async () => {
  const chunk = await ask('/chunk-ABCDEFGH.js', { 'accept-encoding': 'br' });
  assert.equal(chunk.headers['cache-control'], 'public, max-age=31536000, immutable');
  assert.equal(chunk.headers['content-encoding'], undefined);
  assert.equal(chunk.headers['vary'], undefined);
  const same = await ask('/chunk-ABCDEFGH.js', { 'if-none-match': `"x", W/${chunk.headers['etag']!}` });
  assert.deepEqual([same.status, same.body.length, same.headers['etag']], [304, 0, chunk.headers['etag']]);
});

test('UiFiles answers HEAD like GET without the body, and other methods with 405', async () => {
  const head = await ask('/index.html', {}, 'HEAD');
  assert.deepEqual([head.status, head.body.length], [200, 0]);
  assert.equal(head.headers['content-length'], String(PAGE.length));
  const post = await ask('/index.html', {}, 'POST');
  assert.deepEqual([post.status, post.headers['allow']], [405, 'GET, HEAD']);
});

const UNLISTED = [
  '/secret.txt',
  `/${UI_MANIFEST}`,
  '/index.html.gz',
  '/../package.json',
  '/..%2fpackage.json',
  '/./index.html',
  '//index.html',
  '/index.html/',
  '/__proto__',
  '/constructor',
];

for (const path of UNLISTED) {
  test(`UiFiles does not know ${path}`, async () => {
    assert.equal((await ask(path)).status, 404);
  });
}

test('UiFiles answers 500 with the reason when a listed file is not there', async () => {
  const { status, body } = await ask('/gone.js');
  assert.equal(status, 500);
  assert.match(body.toString(), /DEBUGGER_UI_MISSING: gone\.js cannot be read/);
});

test('UiFiles reads a file once', async (t) => {
  const own = mkdtempSync(join(tmpdir(), 'slipstream-ui-'));
  writeFileSync(join(own, 'a.js'), 'a');
  writeFileSync(join(own, UI_MANIFEST), JSON.stringify({ 'a.js': row('text/javascript', 'a') }));
  const ui = createUiFiles(own);
  const other = createServer((incoming, response) => ui.serve(incoming, response, 'a.js'));
  t.after(() => {
    other.close();
    rmSync(own, { recursive: true });
  });
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}/`;
  assert.equal(await (await fetch(url, { headers: { connection: 'close' } })).text(), 'a');
  unlinkSync(join(own, 'a.js'));
  assert.equal(await (await fetch(url, { headers: { connection: 'close' } })).text(), 'a');
});

test('createUiFiles says what to do when the page was not built', () => {
  assert.throws(() => createUiFiles(join(folder, 'nothing')), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'DEBUGGER_UI_MISSING');
    assert.match(error.message, /npm run build/);
    return true;
  });
});

const ENCODINGS: [string, ReturnType<typeof chooseEncoding>][] = [
  ['', undefined],
  ['br', 'br'],
  ['gzip, br', 'br'],
  ['gzip;q=1, br;q=0.5', 'gzip'],
  ['br;q=0, gzip', 'gzip'],
  ['br;q=0, gzip;q=0', undefined],
  ['*', 'br'],
  ['*;q=0.5, br;q=0', 'gzip'],
  ['GZIP', 'gzip'],
  ['identity', undefined],
  ['br;q=oops', undefined],
];

for (const [field, encoding] of ENCODINGS) {
  test(`chooseEncoding: "${field}" gives ${encoding ?? 'the file as it is'}`, () => {
    assert.equal(chooseEncoding(field, ['br', 'gzip']), encoding);
    assert.equal(chooseEncoding(field, []), undefined);
  });
}

test('matchesEtag compares weakly, in lists, and knows the star', () => {
  assert.equal(matchesEtag('"a"', '"a"'), true);
  assert.equal(matchesEtag('W/"a"', '"a"'), true);
  assert.equal(matchesEtag('"b", "a"', '"a"'), true);
  assert.equal(matchesEtag('*', '"a"'), true);
  assert.equal(matchesEtag('', '"a"'), false);
  assert.equal(matchesEtag('"ab"', '"a"'), false);
});
