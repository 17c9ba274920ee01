import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Failure } from '../wire/front-messages.ts';
import { renderFailure } from './error-page.ts';

const FAILURE: Failure = {
  status: 502,
  code: 'APP_EXITED',
  message: 'app "<shop>" ended before it listened: exit code 1',
  developer: [{ heading: 'Last lines of stderr', text: 'Error: <boom> & "more"\n    at file.js:1\n' }],
};

function field(fields: readonly string[], name: string): string | undefined {
  const index = fields.findIndex((text, at) => at % 2 === 0 && text === name);
  return index < 0 ? undefined : fields[index + 1];
}

function formatOf(accept: string): string {
  const { fields } = renderFailure(FAILURE, { local: false, accept });
  return /\/(\w+);/.exec(field(fields, 'Content-Type')!)![1]!;
}

test('renderFailure chooses the format by Accept', () => {
  const table: [string, string][] = [
    ['', 'plain'],
    ['*/*', 'plain'],
    ['text/plain', 'plain'],
    ['image/png', 'plain'],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'html'],
    ['TEXT/HTML', 'html'],
    ['application/json', 'json'],
    ['application/json, text/plain, */*', 'json'],
    ['application/problem+json', 'json'],
    ['application/json;q=0.5, text/html;q=0.4', 'json'],
    ['application/json;q=0.5, text/html', 'html'],
    ['text/html;q=0', 'plain'],
    ['application/json;q=0, text/html;q=0.1', 'html'],
    ['application/json;q=x', 'plain'],
    ['text/plain, text/html;q=0.5', 'plain'],
    [`text/html,${'a/b,'.repeat(500)}`, 'plain'],
  ];
  for (const [accept, format] of table) assert.equal(formatOf(accept), format, accept);
});

test('renderFailure shows developer parts to local people only, in every format', () => {
  for (const accept of ['text/html', 'application/json', '*/*']) {
    const near = renderFailure(FAILURE, { local: true, accept });
    const far = renderFailure(FAILURE, { local: false, accept });
    assert.match(near.body, /boom/);
    assert.match(near.body, /Last lines of stderr/);
    assert.doesNotMatch(far.body, /boom|Last lines/);
    for (const { body, fields, status } of [near, far]) {
      assert.equal(status, 502);
      assert.match(body, /APP_EXITED/);
      assert.match(body, /ended before it listened/);
      assert.equal(field(fields, 'Content-Length'), String(Buffer.byteLength(body)));
      assert.equal(field(fields, 'Cache-Control'), 'no-store');
      assert.equal(field(fields, 'Retry-After'), undefined);
    }
  }
});

test('renderFailure escapes everything that a program or a client said', () => {
  const { body } = renderFailure(FAILURE, { local: true, accept: 'text/html' });
  assert.match(body, /app &quot;&lt;shop&gt;&quot; ended/);
  assert.match(body, /Error: &lt;boom&gt; &amp; &quot;more&quot;\n {4}at file\.js:1/);
  assert.doesNotMatch(body, /<boom>|<shop>/);
});

test('renderFailure asks nothing of any other host', () => {
  const { body, fields } = renderFailure(FAILURE, { local: true, accept: 'text/html' });
  assert.doesNotMatch(body, /https?:|src=|href=|url\(|@import|<script/);
  assert.match(field(fields, 'Content-Security-Policy')!, /^default-src 'none'/);
});

test('renderFailure gives JSON that programs can match', () => {
  const failure = { ...FAILURE, status: 503, retryAfterSeconds: 1.2 };
  const { body, fields } = renderFailure(failure, { local: false, accept: 'application/json' });
  const { code, message } = FAILURE;
  assert.deepEqual(JSON.parse(body), { error: { code, message, retryAfterSeconds: 1.2 } });
  assert.equal(field(fields, 'Retry-After'), '2');
  const near = renderFailure(FAILURE, { local: true, accept: 'application/json' });
  assert.deepEqual(JSON.parse(near.body), { error: { code, message, developer: FAILURE.developer } });
});

test('renderFailure counts bytes, not letters', () => {
  const { body, fields } = renderFailure({ ...FAILURE, message: 'é€😀' }, { local: false, accept: '' });
  assert.equal(field(fields, 'Content-Length'), String(Buffer.byteLength(body)));
  assert.ok(Buffer.byteLength(body) > body.length);
});
