import { test } from 'node:test';
import assert from 'node:assert/strict';
import { judge, readMessages, readOpened, retryDelayMs } from './poll-answer.ts';

const VERDICTS: [number, string, ReturnType<typeof judge>][] = [
  [200, '[]', { kind: 'ok' }],
  [204, '', { kind: 'ok' }],
  [409, '{"next":7}', { kind: 'resync', next: 7 }],
  [409, '{"next":"7"}', { kind: 'refused', message: 'the server answered 409' }],
  [410, '{"code":"VIEWER_UNKNOWN","message":"away"}', { kind: 'gone', message: 'away' }],
  [410, 'not running', { kind: 'absent', message: 'the debugger is not running any more' }],
  [410, '{"code":"DEBUGGER_NOT_RUNNING","message":"killed"}', { kind: 'refused', message: 'killed' }],
  [403, '{"code":"DEBUGGER_FORBIDDEN","message":"no"}', { kind: 'refused', message: 'no' }],
  [400, '', { kind: 'refused', message: 'the server answered 400' }],
  [404, '', { kind: 'retry', message: 'the server answered 404' }],
  [429, '', { kind: 'retry', message: 'the server answered 429' }],
  [502, '<h1>Bad Gateway</h1>', { kind: 'retry', message: 'the server answered 502' }],
  [503, '{"message":"restarting"}', { kind: 'retry', message: 'restarting' }],
];

for (const [status, text, verdict] of VERDICTS) {
  test(`judge: ${status} ${text || '(empty)'} is ${verdict.kind}`, () => {
    assert.deepEqual(judge(status, text), verdict);
  });
}

function delaysOf(kind: 'retry' | 'absent'): number[] {
  const delays: number[] = [];
  for (let failures = 1; ; failures++) {
    const delayMs = retryDelayMs(failures, kind);
    if (delayMs === null) return delays;
    delays.push(delayMs);
  }
}

test('retryDelayMs starts short, grows to a bound and gives up only after more than a minute', () => {
  const delays = delaysOf('retry');
  assert.deepEqual(delays.slice(0, 4), [100, 200, 400, 800]);
  assert.equal(Math.max(...delays), 3000);
  const sum = delays.reduce((total, delayMs) => total + delayMs, 0);
  assert.ok(sum > 60_000 && sum < 180_000, String(sum));
});

test('retryDelayMs waits a few seconds only for a session proxy to come back', () => {
  assert.deepEqual(delaysOf('absent'), [100, 200, 400, 800, 1600]);
});

test('readMessages takes an array of objects and nothing else', () => {
  assert.deepEqual(readMessages('[{"id":1},{"method":"a"}]'), [{ id: 1 }, { method: 'a' }]);
  assert.deepEqual(readMessages('[]'), []);
  for (const text of ['', '{}', 'null', '[1]', '[null]', '[[]]', '<html>', '[{"id":1}']) {
    assert.equal(readMessages(text), undefined, text);
  }
});

test('readOpened needs the id of a viewer', () => {
  assert.deepEqual(readOpened('{"viewer":"v","app":"shop","pid":7}'), { viewer: 'v', app: 'shop', pid: 7 });
  assert.deepEqual(readOpened('{"viewer":"v"}'), { viewer: 'v', app: '', pid: 0 });
  for (const text of ['', '{}', '{"viewer":""}', '{"viewer":1}', '[]', '<html>']) {
    assert.equal(readOpened(text), undefined, text);
  }
});
