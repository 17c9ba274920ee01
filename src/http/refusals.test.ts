// docs/refusals.md against the parsers: every row of its tables, whole and one byte at a time.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { FRONT_LIMITS } from '../base/limits.ts';
import { ChunkedDecoder } from './chunked.ts';
import { RequestHeadParser } from './request-head.ts';
import type { HeadResult, RequestHead } from './request-head.ts';

const LIMITS = {
  targetBytesMax: FRONT_LIMITS.targetBytesMax.default,
  headBytesMax: FRONT_LIMITS.headBytesMax.default,
  headFieldsMax: FRONT_LIMITS.headFieldsMax.default,
};

interface Row {
  title: string;
  input: string;
  answer: string;
  why: string;
}

/** The page lies beside src, or further up when this file runs from a folder of compiled files. */
function findPage(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const page = join(folder, 'docs', 'refusals.md');
    if (existsSync(page)) return page;
    const parent = dirname(folder);
    assert.notEqual(parent, folder, 'docs/refusals.md exists above this file');
    folder = parent;
  }
}

function readRows(page: string): Row[] {
  const rows: Row[] = [];
  let title = '';
  for (const line of page.split(/\r?\n/)) {
    if (line.startsWith('## ')) title = line.slice(3);
    const match = /^\| `(.*)` \| (.*) \| (.*) \|$/.exec(line);
    if (match !== null) rows.push({ title, input: match[1]!, answer: match[2]!, why: match[3]! });
  }
  return rows;
}

const ESCAPES: Record<string, string> = { r: '\r', n: '\n', t: '\t', '0': '\0', '\\': '\\' };

/** The bytes that an input stands for. */
function readInput(input: string): Buffer {
  const text = input.replace(/\\(?:x([0-9a-f]{2})|(.))/g, (_, hex: string | undefined, letter: string) =>
    hex === undefined ? ESCAPES[letter]! : String.fromCharCode(Number.parseInt(hex, 16)),
  );
  const repeated = text.replace(/\{([^{}]+)\*(\d+)\}/gs, (_, part: string, count) => part.repeat(count));
  return Buffer.from(repeated, 'latin1');
}

function bodyText(head: RequestHead): string {
  return head.body.kind === 'length' ? `${head.body.length} bytes` : head.body.kind;
}

function understood(head: RequestHead, sent: number): string {
  const words = [
    head.method, `${head.path}${head.query}`, head.host === '' ? 'no host' : head.host, bodyText(head),
  ];
  if (!head.keepAlive) words.push('close');
  if (head.upgrade) words.push('upgrade');
  if (head.expectContinue) words.push('continue');
  const names = head.fields.filter((_, index) => index % 2 === 0);
  if (names.length !== sent) words.push(`goes on: ${names.join(', ')}`);
  const text = words.join(' · ');
  return text.length > 100 ? '' : `\`${text.replaceAll('|', '\\x7c').replaceAll('`', '\\x60')}\``;
}

/** Feeds a head in steps. Each step adds `step` bytes to what the parser is shown. */
function answerToRequest(bytes: Buffer, step: number, isLenient = false): { answer: string; why: string } {
  const parser = new RequestHeadParser(LIMITS, isLenient);
  let result: HeadResult = { kind: 'more' };
  for (let end = Math.min(step, bytes.length); result.kind === 'more'; end += step) {
    result = parser.parse(bytes, 0, Math.min(end, bytes.length));
    if (end >= bytes.length) break;
  }
  if (result.kind === 'bad') return { answer: `${result.status} ${result.code}`, why: result.message };
  if (result.kind === 'more') return { answer: 'waits for more', why: '' };
  assert.equal(result.bytes, bytes.length, 'the head is all there is');
  const lines = bytes.toString('latin1').trimStart().split('\r\n').length - 3;
  return { answer: 'accepted', why: understood(result.head, lines) };
}

/** Feeds a chunked body in pieces of `step` bytes. */
function answerToChunks(bytes: Buffer, step: number): { answer: string; why: string } {
  let body = '';
  const decoder = new ChunkedDecoder((slice) => {
    body += slice.toString('latin1');
  });
  for (let start = 0; start < bytes.length; start += step) {
    const piece = Buffer.from(bytes.subarray(start, start + step));
    const result = decoder.push(piece, 0, piece.length);
    if (result.kind === 'bad') return { answer: `${result.status} ${result.code}`, why: result.message };
    if (result.kind === 'more') continue;
    assert.equal(start + result.bytes, bytes.length, 'the body is all there is');
    const trailers = result.trailers.length === 0 ? '' : ` · ${result.trailers.join(' ')}`;
    return { answer: 'accepted', why: `\`${body === '' ? 'empty' : body}${trailers}\`` };
  }
  return { answer: 'waits for more', why: '' };
}

const rows = readRows(readFileSync(findPage(), 'utf8'));

for (const way of ['whole', 'byte by byte'] as const) {
  test(`docs/refusals.md says what happens to each input, fed ${way}`, () => {
    assert.ok(rows.length > 150, 'the tables were found');
    for (const { title, input, answer, why } of rows) {
      const bytes = readInput(input);
      const isLenient = title === 'Lenient listeners';
      const read = title === 'Chunked bodies' ? answerToChunks : answerToRequest;
      const step = way === 'whole' ? bytes.length : 1;
      assert.deepEqual({ input, ...read(bytes, step, isLenient) }, { input, answer, why });
    }
  });
}
