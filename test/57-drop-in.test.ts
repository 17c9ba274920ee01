// The drop-in by itself: one program (drop-in-program) runs with node alone and again behind a front, is sent the same
// bytes, and has to answer and to see the same, member for member.

import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { hostFor, run, type Program } from './join-program.ts';

const PLACE = import.meta.url.endsWith('.ts') ? '../dist/test/drop-in-program.js' : './drop-in-program.js';
const PROGRAM = fileURLToPath(new URL(PLACE, import.meta.url));

const get = (path: string, fields = ''): string =>
  `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${fields}\r\n`;
const post = (path: string, fields: string, body: string): string =>
  `POST ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${fields}\r\n\r\n${body}`;
const CHUNKS = '3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 1\r\nX-Sum: 2\r\n\r\n';

const REQUESTS: readonly string[] = [
  get('/classes'),
  get('/swapped'),
  get('/head', 'X-Two: a\r\nX-Two: b\r\nCookie: c\r\nCookie: d\r\nAge: 1\r\nAge: 2\r\nX-Byte: \xe9\r\n'),
  get('/setters'),
  post('/body', 'Content-Length: 5', 'hello'),
  post('/body', 'Transfer-Encoding: chunked\r\nTrailer: X-Sum', CHUNKS),
  post('/paused', 'Content-Length: 5', 'hello'),
  get('/fields'),
  get('/fields').replace('GET', 'HEAD'),
  get('/write-head'),
  get('/write-head-raw'),
  get('/bad-fields'),
  get('/strict'),
  get('/flush'),
  get('/flush').replace('HTTP/1.1', 'HTTP/1.0'),
  get('/interim'),
  get('/trailers', 'TE: trailers\r\n'),
  get('/empty'),
  get('/not-modified'),
  get('/full'),
  get('/wait'),
  get('/wait-response'),
  get('/wait-socket'),
  get('/socket'),
  get('/socket-end'),
  get('/destroy'),
  post('/storage', 'Content-Length: 5', 'hello'),
  get('/server'),
  get('/many-fields', Array.from({ length: 150 }, (_, index) => `X-${index}: a\r\n`).join('')),
  post('/body', 'Content-Length: 5\r\nExpect: 100-continue', 'hello'),
  post('/refused', 'Content-Length: 5\r\nExpect: 100-continue', ''),
  get('/classes', 'Expect: a-miracle\r\n'),
  get('/nowhere'),
];

/** Says something on a connection of its own and reads until its end; `behind` is said when `cue` has come. */
async function talk(port: number, words: string, cue?: string, behind?: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.write(words, 'latin1');
  let text = '';
  let isCued = false;
  socket.on('data', (piece: Buffer) => {
    text += piece.toString('latin1');
    if (cue === undefined || isCued || !text.includes(cue)) return;
    isCued = true;
    if (behind === undefined) socket.destroy();
    else socket.end(behind);
  });
  socket.on('end', () => socket.end());
  socket.on('error', () => {});
  // Not once(): that rejects where the connection is reset.
  await new Promise((resolve) => socket.on('close', resolve));
  return text;
}

/** One answer in the words that do not depend on who wrote them: no Date, nothing about the connection, no chunks. */
function essence(answer: string): string {
  const parts = /^((?:HTTP\/1\.1 1\d\d .*?\r\n\r\n)*)(.*?)\r\n\r\n(.*)$/s.exec(answer);
  const [, interim, head, body] = parts ?? ['', '', '', answer];
  const [line, ...fields] = head!.split('\r\n');
  const isChunked = fields.some((field) => /^transfer-encoding: chunked$/i.test(field));
  const left = fields.filter((field) => !/^(?:date|connection|keep-alive|transfer-encoding):/i.test(field)).sort();
  return JSON.stringify([interim, line, left, isChunked ? readChunks(body!) : body], null, 1);
}

function readChunks(text: string): string {
  let body = '';
  let left = text;
  for (;;) {
    const size = /^([0-9a-f]+)\r\n/i.exec(left);
    if (size === null) return `${body}cut ${left}`;
    const bytes = Number.parseInt(size[1]!, 16);
    left = left.slice(size[0].length);
    if (bytes === 0) return `${body}|${left}`;
    body += left.slice(0, bytes);
    left = left.slice(bytes + 2);
  }
}

interface Seen {
  answers: string[];
  tunnels: string[];
  hung: string;
  report: Map<string, number>;
  end: string;
}

async function play(program: Program): Promise<Seen> {
  const port = Number((await program.line(/listens on (\d+)/))[1]);
  const answers: string[] = [];
  for (const words of REQUESTS) answers.push(essence(await talk(port, words)));
  const upgrade = (path: string): string =>
    `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: echo\r\n\r\n`;
  const tunnels = [
    await talk(port, upgrade('/up'), ' echo ', 'early'),
    await talk(port, upgrade('/refused')),
    await talk(port, 'CONNECT b:443 HTTP/1.1\r\nHost: a\r\n\r\n', 'undefined ', 'tunnel'),
  ].map((text) => text.replace(/^(?:Date|Connection|Keep-Alive): .*\r\n/gm, ''));
  // One client leaves in the middle, one is cut by the server when all connections are closed.
  await talk(port, get('/hang'), 'hangs');
  const { body } = JSON.parse(`{"body":${JSON.stringify(await talk(port, get('/report')))}}`) as { body: string };
  const report = new Map(JSON.parse(/\r\n\r\n(\[.*\])$/s.exec(body)![1]!) as [string, number][]);
  const hanging = talk(port, get('/hang'));
  await talk(port, get('/close-all'));
  const hung = essence(await hanging);
  await program.line(/close event/);
  const end = (await program.line(/closed (\w+)/))[0];
  return { answers, tunnels, hung, report, end };
}

function runAlone(t: TestContext): Program {
  const env = { SLIPSTREAM_JOIN: 'off' };
  return run(t, { home: '/nonexistent' }, `import(${JSON.stringify(PROGRAM)});`, [], { env });
}

test('a program answers and sees the same behind the front as with node alone', async (t) => {
  const host = await hostFor(t);
  const alone = await play(runAlone(t));
  const joined = await play(run(t, host, `import(${JSON.stringify(PROGRAM)});`));
  const differing = alone.answers.flatMap((answer, index) =>
    (answer === joined.answers[index] ? [] : [REQUESTS[index]!.split('\r\n')[0], answer, joined.answers[index]]));
  assert.deepEqual(differing, []);
  assert.deepEqual(joined.tunnels, alone.tunnels);
  assert.equal(joined.hung, alone.hung);
  assert.deepEqual(joined.report, alone.report);
  assert.equal(joined.end, alone.end);
  // Each scene was played.
  const scenes = readFileSync(PROGRAM, 'utf8').match(/^ {4}'(\/[a-z-]+)':/gm) ?? [];
  assert.ok(scenes.length > 25, 'the scenes were found');
  const played = JSON.stringify(REQUESTS) + '/hang /close-all /report';
  for (const scene of scenes) assert.ok(played.includes(scene.trim().slice(1, -2)), scene);
});
