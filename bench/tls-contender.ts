// Who ends TLS: our front, node's own servers alone, and nginx, each with the same certificate and the same program
// behind. A contender has a URL for HTTP/1.1 and one for HTTP/2, which may be the same.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import * as https from 'node:https';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { descendantsOf } from '../scripts/process-list.ts';
import { startHost } from '../test/host-fixture.ts';
import { made, type MadeCertificate } from '../test/made-certificates.ts';
import { ended, findNginx, freePort, stopAll, type Contender } from './contender.ts';

const START_TIMEOUT_MS = 20_000;
/** Of a download, and of the file that is uploaded. */
export const LARGE_BYTES = 30_000_000;

/** Hello; `large` is a download, and what is posted is counted. */
const HANDLER = `
const piece = Buffer.alloc(65536, 'x');
function handle(request, response) {
  if (request.method === 'POST') {
    let taken = 0;
    request.on('data', (chunk) => (taken += chunk.length));
    request.on('end', () => response.end(String(taken)));
    return;
  }
  response.setHeader('Content-Type', 'text/plain');
  if (!request.url.endsWith('/large')) {
    response.setHeader('Content-Length', 13);
    return void response.end('Hello, World!');
  }
  let left = ${LARGE_BYTES};
  response.setHeader('Content-Length', left);
  const more = () => {
    while (left > 0) {
      const part = left < piece.length ? piece.subarray(0, left) : piece;
      left -= part.length;
      if (!response.write(part)) return void response.once('drain', more);
    }
    response.end();
  };
  more();
}
`;
const PLAIN = `${HANDLER}\nrequire('node:http').createServer(handle).listen(process.env.PORT);`;
const ALONE = `${HANDLER}
const file = require('node:fs').readFileSync(process.env.PEM);
require('node:https').createServer({ cert: file, key: file }, handle).listen(process.env.PORT, '127.0.0.1');
require('node:http2').createSecureServer({ cert: file, key: file }, handle).listen(process.env.PORT2, '127.0.0.1');
`;

/** {@link Contender.url} is that for HTTP/1.1. */
export interface TlsContender extends Contender {
  http2Url: string;
}

async function answeredSecurely(url: string): Promise<void> {
  const endMs = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      const request = https.get(url, { rejectUnauthorized: false, agent: false });
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      response.resume();
      if (response.statusCode === 200) return;
    } catch (error) {
      if (performance.now() > endMs) throw error;
    }
    if (performance.now() > endMs) throw new Error(`${url} does not answer with 200`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function started(contender: TlsContender): Promise<TlsContender> {
  try {
    await answeredSecurely(contender.url);
    return contender;
  } catch (error) {
    await contender.stop();
    throw error;
  }
}

async function throughFront(pair: MadeCertificate): Promise<TlsContender> {
  const host = await startHost({
    files: {
      'app/server.js': PLAIN, 'both.pem': pair.cert + pair.key,
      'slip.yml': 'tls:\n  certificates: [{ cert: both.pem }]\n',
    },
    config: 'slip.yml',
    args: ['--listen', 'http://127.0.0.1:0', '--listen', 'https://127.0.0.1:0'],
  });
  const url = `${/https:\S+/.exec(await host.line(/ready on .*https/))![0]}app/`;
  const pidsOf = (role: string): number[] =>
    host.processes().filter((entry) => entry.role === role).map(({ pid }) => pid);
  const stop = async (): Promise<void> => {
    await host.stop();
  };
  return await started({
    name: 'slipstream', url, http2Url: url, frontPids: () => pidsOf('front'), appPids: () => pidsOf('app'), stop,
  });
}

async function nodeAlone(pair: MadeCertificate): Promise<TlsContender> {
  const folder = mkdtempSync(join(tmpdir(), 'slipstream-bench-'));
  writeFileSync(join(folder, 'both.pem'), pair.cert + pair.key);
  writeFileSync(join(folder, 'server.js'), ALONE);
  const [port, port2] = [await freePort(), await freePort()];
  const env = { ...process.env, PORT: String(port), PORT2: String(port2), PEM: join(folder, 'both.pem') };
  const child = spawn(process.execPath, [join(folder, 'server.js')], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  const stop = async (): Promise<void> => {
    await ended(child, 'SIGTERM');
    rmSync(folder, { recursive: true, force: true });
  };
  return await started({
    name: 'node alone', url: `https://127.0.0.1:${port}/app/`, http2Url: `https://127.0.0.1:${port2}/app/`,
    frontPids: () => [child.pid!], appPids: () => [], stop,
  });
}

function nginxConfig(folder: string, port: number): string {
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  return `
${user} daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
events { worker_connections 4096; }
http {
  access_log off; client_max_body_size 0; keepalive_requests 1000000000;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  ssl_certificate ${folder}/both.pem; ssl_certificate_key ${folder}/both.pem; ssl_protocols TLSv1.2 TLSv1.3;
  ssl_session_tickets on;
  upstream app { server unix:${folder}/app.sock; keepalive 128; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port} ssl http2;
    location / {
      proxy_pass http://app; proxy_http_version 1.1; proxy_request_buffering off; proxy_max_temp_file_size 0;
      proxy_set_header Connection ''; proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $remote_addr;
    }
  }
}
`;
}

async function throughNginx(pair: MadeCertificate, nginx: string): Promise<TlsContender> {
  const folder = mkdtempSync(join(tmpdir(), 'slipstream-bench-'));
  const port = await freePort();
  writeFileSync(join(folder, 'both.pem'), pair.cert + pair.key);
  writeFileSync(join(folder, 'server.js'), PLAIN);
  writeFileSync(join(folder, 'nginx.conf'), nginxConfig(folder, port));
  const env = { ...process.env, PORT: join(folder, 'app.sock') };
  const app = spawn(process.execPath, [join(folder, 'server.js')], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  const words = ['-p', folder, '-e', join(folder, 'error.log'), '-c', join(folder, 'nginx.conf')];
  const proxy = spawn(nginx, words, { stdio: ['ignore', 'ignore', 'inherit'] });
  const stop = async (): Promise<void> => {
    await Promise.all([ended(proxy, 'SIGTERM'), ended(app, 'SIGTERM')]);
    rmSync(folder, { recursive: true, force: true });
  };
  const url = `https://127.0.0.1:${port}/app/`;
  const frontPids = (): number[] => [proxy.pid!, ...descendantsOf(proxy.pid!).map(({ pid }) => pid)];
  return await started({
    name: 'nginx → node:http', url, http2Url: url, frontPids, appPids: () => [app.pid!], stop,
  });
}

/** Ours, node's own, and nginx where it is installed. */
export async function tlsContenders(): Promise<TlsContender[]> {
  const pair = made('localhost', { names: ['localhost', '127.0.0.1'] });
  const nginx = findNginx();
  const contenders: TlsContender[] = [];
  try {
    contenders.push(await throughFront(pair));
    contenders.push(await nodeAlone(pair));
    if (nginx !== undefined) contenders.push(await throughNginx(pair, nginx));
  } catch (error) {
    await stopAll(contenders);
    throw error;
  }
  return contenders;
}
