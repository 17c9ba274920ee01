import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { LogFiles, formatLine, listLogFiles, type LogFilesOptions } from './log-files.ts';
import { createLog, silentLog } from '../base/log.ts';

function filesIn(t: TestContext, options: Partial<LogFilesOptions> = {}): { folder: string; files: LogFiles } {
  const place = mkdtempSync(join(tmpdir(), 'slip-log-'));
  t.after(() => rmSync(place, { recursive: true, force: true }));
  const folder = join(place, 'a', 'b');
  const limits = { fileBytesMax: 1000, totalBytesMax: 1_000_000, filesMax: 100 };
  let nowMs = 5000;
  const now = (): number => nowMs++;
  const files = new LogFiles({ folder, limits, format: 'text', log: silentLog, machine: 'box', now, ...options });
  return { folder, files };
}

test('LogFiles makes a file for each process and stream when the first line comes', async (t) => {
  const { folder, files } = filesIn(t);
  files.write(7, 'stdout', 'one');
  files.write(7, 'stderr', 'bad');
  files.write(8, 'stdout', 'two');
  files.write(7, 'stdout', 'three');
  await files.close();
  const names = readdirSync(folder).sort();
  assert.equal(names.length, 3);
  for (const name of names) assert.match(name, /^box-[78]-(?:stdout|stderr)-\d+\.txt$/);
  const first = names.find((name) => name.startsWith('box-7-stdout'))!;
  assert.equal(readFileSync(join(folder, first), 'utf8'), 'one\nthree\n');
});

test('LogFiles begins another file when one is full', async (t) => {
  const { folder, files } = filesIn(t);
  const line = 'x'.repeat(299);
  for (let count = 0; count < 40; count++) files.write(1, 'stdout', `${String(count).padStart(2)} ${line}`);
  await files.close();
  const found = await listLogFiles(folder, 'box');
  assert.ok(found.length > 3, String(found.length));
  for (const { bytes } of found) assert.ok(bytes <= 2400, String(bytes));
  const text = found
    .sort((left, right) => left.createdMs - right.createdMs)
    .map(({ name }) => readFileSync(join(folder, name), 'utf8'))
    .join('');
  const numbers = text.trimEnd().split('\n').map((one) => Number(one.slice(0, 2)));
  assert.deepEqual(numbers, Array.from({ length: 40 }, (_, index) => index));
});

test('LogFiles removes its own oldest files only', async (t) => {
  const limits = { fileBytesMax: 1000, totalBytesMax: 3000, filesMax: 3 };
  const { folder, files } = filesIn(t, { limits });
  mkdirSync(folder, { recursive: true });
  const strangers = ['keep.txt', 'other-1-stdout-1.txt', 'box-1-stdout-1.log', 'box-x-stdout-1.txt', 'index.html'];
  for (const name of strangers) writeFileSync(join(folder, name), 'y'.repeat(5000));
  for (let age = 1; age <= 6; age++) {
    const name = join(folder, `box-9-stdout-${age}.txt`);
    writeFileSync(name, 'z'.repeat(100));
    utimesSync(name, age, age);
  }
  files.write(1, 'stdout', 'now');
  await files.close();
  const names = readdirSync(folder);
  for (const name of strangers) assert.ok(names.includes(name), name);
  const own = (await listLogFiles(folder, 'box')).map(({ name }) => name);
  assert.equal(own.length, 3);
  assert.deepEqual(own.slice(0, 2), ['box-9-stdout-5.txt', 'box-9-stdout-6.txt']);
});

test('LogFiles says once that it cannot write, and does not throw', async (t) => {
  const events: string[] = [];
  const log = createLog({ json: true, write: (line) => events.push((JSON.parse(line) as { event: string }).event) });
  const { files } = filesIn(t, { folder: '/dev/null/no', log });
  for (let count = 0; count < 3; count++) {
    files.write(1, 'stdout', 'x');
    await files.close();
  }
  assert.deepEqual(events, ['log-files-failed']);
});

test('LogFiles drops lines that the disk does not take in time, and counts them', async (t) => {
  const limits = { fileBytesMax: 100_000_000, totalBytesMax: 1e9, filesMax: 9 };
  const { folder, files } = filesIn(t, { limits });
  const line = 'x'.repeat(1_000_000);
  for (let count = 0; count < 10; count++) files.write(1, 'stdout', line);
  await files.close();
  const [found] = await listLogFiles(folder, 'box');
  const text = readFileSync(join(folder, found!.name), 'utf8');
  assert.match(text, /\[slipstream: 6 lines dropped/);
  assert.ok(text.length < 4_300_000);
});

test('formatLine writes each format', () => {
  const at = { timeMs: 0, pid: 3 };
  assert.equal(formatLine('text', 'a', at), 'a\n');
  assert.equal(formatLine('crlf', 'a', at), 'a\r\n');
  assert.equal(formatLine('time', 'a', at), '1970-01-01T00:00:00.000Z a\n');
  assert.equal(formatLine('json', 'a"', at), '{"time":"1970-01-01T00:00:00.000Z","pid":3,"line":"a\\""}\n');
});
