import { afterEach, beforeEach, test } from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLog, silentLog } from '../base/log.ts';
import { AUDIT_BYTES_MAX, AUDIT_TEXT_MAX, auditFile, createAuditLog, REFUSED_PER_MINUTE_MAX } from './audit-log.ts';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'slip-audit-'))));
afterEach(() => rmSync(folder, { recursive: true }));

function lines(): Record<string, string>[] {
  const text = readFileSync(auditFile(folder), 'utf8');
  return text.trimEnd().split('\n').map((line) => JSON.parse(line) as Record<string, string>);
}

test('each entry is a line of JSON, for its owner only, with secrets masked', () => {
  const file = auditFile(folder);
  const audit = createAuditLog({ file, maskPatterns: ['password=\\S+', 'sk-\\w+'], log: silentLog });
  audit.write({ event: 'attached', app: '/shop/', who: 'local', role: 'full', from: '127.0.0.1' });
  const text = 'login("password=hunter2 x", "sk-1", "sk-2")\nnext';
  audit.write({ event: 'command', app: '/shop/', who: 'local', method: 'Runtime.evaluate', text });
  const [first, second] = lines();
  assert.deepEqual([first!['event'], first!['from']], ['attached', '127.0.0.1']);
  assert.ok(!Number.isNaN(Date.parse(first!['time']!)));
  assert.equal(second!['text'], 'login("*** x", "***", "***")\nnext');
  if (process.platform !== 'win32') assert.equal(statSync(file).mode & 0o777, 0o600);
});

test('long texts are cut, and a full file moves aside', () => {
  const file = auditFile(folder);
  const audit = createAuditLog({ file, maskPatterns: [], log: silentLog });
  audit.write({ event: 'command', app: '/', who: 'local', text: 'x'.repeat(100_000) });
  assert.ok(lines()[0]!['text']!.length < AUDIT_TEXT_MAX + 20);
  truncateSync(file, AUDIT_BYTES_MAX);
  audit.write({ event: 'left', app: '/', who: 'local' });
  assert.equal(lines().length, 1);
  assert.equal(existsSync(`${file}.1`), true);
});

test('a pattern that is none is an error, and a disk that refuses is told once', () => {
  const broken = { file: auditFile(folder), maskPatterns: ['('], log: silentLog };
  assert.throws(() => createAuditLog(broken), { code: 'CONFIG_INVALID' });
  const told: string[] = [];
  const log = createLog({ json: false, write: (line) => told.push(line) });
  const audit = createAuditLog({ file: join(folder, 'a', '\0'), maskPatterns: [], log });
  audit.write({ event: 'left', app: '/', who: 'local' });
  audit.write({ event: 'left', app: '/', who: 'local' });
  assert.equal(told.length, 1);
});

test('who is refused again and again does not push out what others did', () => {
  let nowMs = 0;
  const audit = createAuditLog({ file: auditFile(folder), maskPatterns: [], log: silentLog, now: () => nowMs });
  const refuse = (): void => audit.write({ event: 'refused', app: '/', who: 'unknown' });
  for (let count = 0; count < REFUSED_PER_MINUTE_MAX + 7; count++) refuse();
  audit.write({ event: 'left', app: '/', who: 'local' });
  assert.equal(lines().length, REFUSED_PER_MINUTE_MAX + 1);
  nowMs += 60_000;
  refuse();
  refuse();
  assert.deepEqual(lines().slice(-2).map((line) => line['unwritten']), [7, undefined]);
});
