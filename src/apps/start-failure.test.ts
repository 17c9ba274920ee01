import assert from 'node:assert/strict';
import { test } from 'node:test';
import { STDERR_LINES_MAX, absentFailure, startFailure, stoppedFailure } from './start-failure.ts';
import type { StartEnd } from './start-failure.ts';

const EXIT: StartEnd = { kind: 'exited', code: 1, signal: null };

function failure(stderr: string, end: StartEnd = EXIT): ReturnType<typeof startFailure> {
  return startFailure({ app: 'shop', command: 'node /apps/shop/server.js', stderr, end });
}

const REQUIRE = `node:internal/modules/cjs/loader:1404
  throw err;
  ^

Error: Cannot find module 'express'
Require stack:
- /apps/shop/server.js
    at Function._resolveFilename (node:internal/modules/cjs/loader:1401:15) {
  code: 'MODULE_NOT_FOUND'
}

Node.js v24.0.0
`;
const IMPORT = `node:internal/modules/package_json_reader:255
  throw new ERR_MODULE_NOT_FOUND(packageName, fileURLToPath(base), null);
        ^

Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'koa' imported from /apps/shop/server.mjs
    at Object.getPackageJSONURL (node:internal/modules/package_json_reader:255:9)
`;
const SYNTAX = `/apps/shop/server.js:3
const x = ;
          ^

SyntaxError: Unexpected token ';'
    at wrapSafe (node:internal/modules/cjs/loader:1464:18)
`;

test('startFailure names the reason for everybody', () => {
  const table: [string, StartEnd, string, string][] = [
    [REQUIRE, EXIT, 'APP_EXITED', 'app "shop" cannot find the module "express" (it exited with code 1)'],
    [IMPORT, EXIT, 'APP_EXITED', 'app "shop" cannot find the module "koa" (it exited with code 1)'],
    [SYNTAX, EXIT, 'APP_EXITED', 'app "shop" has a syntax error (it exited with code 1)'],
    [
      "Error: Cannot find module '/apps/shop/secret.js'", EXIT, 'APP_EXITED',
      'app "shop" cannot find one of its files (it exited with code 1)',
    ],
    [
      'TypeError: x is not a function', EXIT, 'APP_EXITED',
      'app "shop" ended with an error before it listened (it exited with code 1)',
    ],
    ['', { ...EXIT, code: 7 }, 'APP_EXITED', 'app "shop" exited with code 7 before it listened'],
    ['', { ...EXIT, code: 0 }, 'APP_EXITED', 'app "shop" exited with code 0 before it listened'],
    [
      REQUIRE, { kind: 'exited', code: null, signal: 'SIGKILL' }, 'APP_EXITED',
      'app "shop" was ended by the signal SIGKILL before it listened',
    ],
    [
      '', { kind: 'start-late', startTimeoutMs: 25_000 }, 'APP_START_TIMED_OUT',
      'app "shop" did not listen within 25000 ms (startTimeoutMs)',
    ],
    [
      '', { kind: 'spawn-failed', reason: 'spawn /no/node ENOENT' }, 'APP_SPAWN_FAILED',
      'app "shop" has no process: it cannot be created',
    ],
    [
      '', { kind: 'unusable', reason: 'its package.json is not valid JSON: at "secret"' }, 'APP_SPAWN_FAILED',
      'app "shop" cannot be started: its package.json is not valid JSON',
    ],
  ];
  for (const [stderr, end, code, message] of table) {
    const found = failure(stderr, end);
    assert.deepEqual([found.status, found.code, found.message], [500, code, message]);
  }
});

test('startFailure shows the developer the error, its place, the command and stderr', () => {
  const { developer } = failure(SYNTAX);
  assert.deepEqual(developer.map((part) => part.heading), ['Reason', 'Command', 'Last lines of stderr']);
  assert.match(developer[0]!.text, /^SyntaxError: Unexpected token ';'\n\/apps\/shop\/server\.js:3\n/);
  assert.equal(developer[1]!.text, 'node /apps/shop/server.js');
  assert.equal(developer[2]!.text, SYNTAX.trimEnd());
  assert.equal(failure('\n \n').developer[2]!.text, '(nothing)');
});

test('startFailure shows a bounded number of bounded lines without colours', () => {
  const many = Array.from({ length: 500 }, (_, index) => `\u001b[31mline ${index}\u001b[39m`).join('\n');
  const lines = failure(many).developer[2]!.text.split('\n');
  assert.equal(lines.length, STDERR_LINES_MAX);
  assert.equal(lines.at(-1), 'line 499');
  assert.ok(failure('x'.repeat(60_000)).developer[2]!.text.length < 3000);
});

test('stoppedFailure asks to come again, absentFailure does not', () => {
  assert.equal(stoppedFailure('shop').status, 503);
  assert.ok(stoppedFailure('shop').retryAfterSeconds! > 0);
  assert.equal(absentFailure('shop').status, 404);
});
