// Runs h2spec against the front, over TLS and in cleartext, and against node:http2 alone, and says where they fail.
//   H2SPEC=<path of the program> node dist/scripts/h2spec.js
// It is not part of this repository: `go install github.com/summerwind/h2spec/cmd/h2spec@v2.6.0` makes it. Prints
// Markdown for docs/benchmarks.md; ends with 1 when the front fails where node alone does not.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import {
  createSecureServer, createServer, type Http2ServerRequest, type Http2ServerResponse,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startHost } from '../test/host-fixture.ts';
import { made, type MadeCertificate } from '../test/made-certificates.ts';

/** Where the front means to answer otherwise. */
const MEANT: Readonly<Record<string, string>> = {
  'http2/3.5/2 in cleartext': 'the port speaks HTTP/1.1, too: what is no preface is a bad request of that',
};

interface Server {
  name: string;
  url: URL;
}

interface Result {
  /** By its number: what it does. */
  failed: Map<string, string>;
  skipped: number;
  all: number;
}

const PROGRAM = `require('node:http').createServer((request, response) => {
  request.resume();
  response.end('hello');
}).listen(process.env.PORT);`;

async function startFront(pair: MadeCertificate): Promise<{ servers: Server[]; stop: () => Promise<unknown> }> {
  const host = await startHost({
    files: {
      'app/server.js': PROGRAM, 'both.pem': pair.cert + pair.key,
      'slip.yml': "tls:\n  certificates: [{ cert: both.pem }]\n  http2Cleartext: ['http://127.0.0.1:0']\n",
    },
    config: 'slip.yml',
    args: ['--listen', 'http://127.0.0.1:0', '--listen', 'https://127.0.0.1:0'],
  });
  const [, secure] = /(https:\S+)/.exec(await host.line(/ready on .*https/))!;
  const servers = [
    { name: 'front, TLS', url: new URL('app/', secure) },
    { name: 'front, cleartext', url: new URL('app/', host.url) },
  ];
  return { servers, stop: () => host.stop() };
}

async function startAlone(pair: MadeCertificate): Promise<{ servers: Server[]; stop: () => Promise<unknown> }> {
  const answer = (request: Http2ServerRequest, response: Http2ServerResponse): void => {
    request.resume();
    response.end('hello');
  };
  const plain = createServer(answer);
  const secure = createSecureServer(pair, answer);
  const servers: Server[] = [];
  for (const [name, server] of [['node, TLS', secure], ['node, cleartext', plain]] as const) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    servers.push({ name, url: new URL(`${server === secure ? 'https' : 'http'}://127.0.0.1:${port}/app/`) });
  }
  const stop = async (): Promise<void> => {
    plain.close();
    secure.close();
  };
  return { servers, stop };
}

/** What it found, from its report for programs. */
function read(report: string): Result {
  const result: Result = { failed: new Map(), skipped: 0, all: 0 };
  let [section, number] = ['', 0];
  for (const [, name, what, inside] of report.matchAll(
    /<testcase package="([^"]*)" classname="([^"]*)"[^>]*>([^]*?)<\/testcase>/g,
  )) {
    number = name === section ? number + 1 : 1;
    section = name!;
    result.all += 1;
    if (inside!.includes('<skipped')) result.skipped += 1;
    else if (inside!.includes('<failure') || inside!.includes('<error')) result.failed.set(`${name}/${number}`, what!);
  }
  if (result.all === 0) throw new Error('h2spec reported nothing');
  return result;
}

async function run(program: string, { url }: Server, folder: string): Promise<Result> {
  const report = join(folder, 'report.xml');
  rmSync(report, { force: true });
  const words = ['-h', url.hostname, '-p', url.port, '-P', url.pathname, '-j', report];
  const tls = url.protocol === 'https:' ? ['-t', '-k'] : [];
  const child = spawn(program, [...words, ...tls], { stdio: ['ignore', 'ignore', 'inherit'] });
  await once(child, 'exit');
  return read(readFileSync(report, 'utf8'));
}

function print(servers: readonly Server[], results: readonly Result[]): void {
  console.log('| server | passed | skipped | failed |\n|---|---|---|---|');
  for (const [index, { name }] of servers.entries()) {
    const { all, skipped, failed } = results[index]!;
    console.log(`| ${name} | ${all - skipped - failed.size} of ${all} | ${skipped} | ${failed.size} |`);
  }
  console.log(`\n| fails | what it does | ${servers.map(({ name }) => name).join(' | ')} |`);
  console.log(`|---|---|${servers.map(() => '---|').join('')}`);
  const whats = new Map(results.flatMap(({ failed }) => [...failed]));
  for (const [number, what] of [...whats].sort()) {
    const cells = results.map(({ failed }) => (failed.has(number) ? 'fails' : ''));
    console.log(`| ${number} | ${what} | ${cells.join(' | ')} |`);
  }
}

function onlyIn(ours: ReadonlyMap<string, string>, theirs: ReadonlyMap<string, string>): string[] {
  return [...ours.keys()].filter((number) => !theirs.has(number));
}

async function main(): Promise<void> {
  const program = process.env['H2SPEC'];
  if (program === undefined) throw new Error('H2SPEC must be the path of h2spec');
  const folder = mkdtempSync(join(tmpdir(), 'slipstream-h2spec-'));
  const pair = made('localhost', { names: ['localhost', '127.0.0.1'] });
  const [front, alone] = [await startFront(pair), await startAlone(pair)];
  try {
    const servers = [...front.servers, ...alone.servers];
    const results: Result[] = [];
    for (const server of servers) results.push(await run(program, server, folder));
    print(servers, results);
    const [tls, cleartext, aloneTls, aloneCleartext] = results.map(({ failed }) => failed);
    const worse = [
      ...onlyIn(tls!, aloneTls!).map((number) => `${number} over TLS`),
      ...onlyIn(cleartext!, aloneCleartext!).map((number) => `${number} in cleartext`),
    ];
    console.log();
    for (const one of worse) console.log(`only at the front: ${one}${one in MEANT ? `; ${MEANT[one]}` : ''}`);
    if (worse.some((one) => !(one in MEANT))) process.exitCode = 1;
  } finally {
    await front.stop();
    await alone.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
