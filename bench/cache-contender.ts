// Caches that are compared: our front, nginx, HAProxy and Varnish before the same origin, and a node:net server
// that writes the same bytes without reading what it is asked, which is the limit of any server on Node. All
// of a contender's threads run on one core.

import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { descendantsOf } from '../scripts/process-list.ts';
import { startHost } from '../test/host-fixture.ts';
import { answered, ended, findNginx, freePort, type Contender } from './contender.ts';

/** The core of who serves, and that of who asks. */
export const SERVER_CORE = '0';
export const LOAD_CORE = '1';

/** Says that its answers may be kept; as many bytes as the path says. */
const ORIGIN = `
require('node:http').createServer((request, response) => {
  const bytes = Number(/(\\d+)$/.exec(request.url)?.[1] ?? 2);
  response.setHeader('Content-Type', 'text/plain');
  response.setHeader('Cache-Control', 'max-age=86400');
  response.setHeader('Content-Length', bytes);
  response.end(Buffer.alloc(bytes, 'x'));
}).listen(process.env.PORT, '127.0.0.1');
`;

/** One write for each chunk that comes: the load asks for one answer at a time. */
const ECHO = `
const answers = new Map();
function answerOf(bytes) {
  const head = 'HTTP/1.1 200 OK\\r\\nContent-Type: text/plain\\r\\nCache-Control: max-age=86400\\r\\n'
    + 'Date: Sat, 21 Nov 2026 10:00:00 GMT\\r\\nContent-Length: ' + bytes + '\\r\\nAge:          1\\r\\n\\r\\n';
  return Buffer.concat([Buffer.from(head), Buffer.alloc(bytes, 'x')]);
}
require('node:net').createServer((socket) => {
  let answer = null;
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    if (answer === null) {
      const bytes = Number(/(\\d+) HTTP/.exec(chunk.toString('latin1'))?.[1] ?? 2);
      answer = answers.get(bytes) ?? answerOf(bytes);
      answers.set(bytes, answer);
    }
    socket.write(answer);
  });
}).listen(process.env.PORT, '127.0.0.1');
`;

/** Puts all threads of a process on a core; those that it starts later too. */
export function pin(pid: number, core: string): void {
  const { status, stderr } = spawnSync('taskset', ['-acp', core, String(pid)], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`taskset: ${stderr}`);
}

function pidsOf(child: ChildProcess): number[] {
  return [child.pid!, ...descendantsOf(child.pid!).map(({ pid }) => pid)];
}

function pinned(contender: Contender): Contender {
  for (const pid of contender.frontPids()) pin(pid, SERVER_CORE);
  return contender;
}

async function program(name: string, source: string): Promise<Contender> {
  const folder = mkdtempSync(join(tmpdir(), 'slipstream-bench-'));
  const file = join(folder, 'server.js');
  writeFileSync(file, source);
  const port = await freePort();
  const env = { ...process.env, PORT: String(port) };
  const child = spawn(process.execPath, [file], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  const stop = async (): Promise<void> => {
    await ended(child, 'SIGTERM');
    rmSync(folder, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${port}/`;
  return await started({ name, url, frontPids: () => pidsOf(child), appPids: () => [], stop });
}

async function started(contender: Contender): Promise<Contender> {
  try {
    await answered(`${contender.url}2`);
    return contender;
  } catch (error) {
    await contender.stop();
    throw error;
  }
}

/** The origin of the other caches. */
export function startOrigin(): Promise<Contender> {
  return program('origin', ORIGIN);
}

async function slipstream(): Promise<Contender> {
  const config = 'apps:\n  app:\n    cache: standard\n';
  const host = await startHost({ files: { 'app/server.js': ORIGIN, 'slipstream.yml': config } });
  const stop = async (): Promise<void> => {
    await host.stop();
  };
  const frontPids = (): number[] =>
    host.processes().filter(({ role }) => role === 'front').map(({ pid }) => pid);
  return await started({ name: 'slipstream', url: `${host.url}app/`, frontPids, appPids: () => [], stop });
}

/** A proxy with its configuration in a folder of its own. */
async function proxy(
  name: string,
  command: string,
  args: (place: { folder: string; port: number }) => string[],
): Promise<Contender> {
  const folder = mkdtempSync(join(tmpdir(), 'slipstream-bench-'));
  const port = await freePort();
  const child = spawn(command, args({ folder, port }), { stdio: ['ignore', 'ignore', 'ignore'] });
  const stop = async (): Promise<void> => {
    await ended(child, 'SIGTERM');
    rmSync(folder, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${port}/`;
  return await started({ name, url, frontPids: () => pidsOf(child), appPids: () => [], stop });
}

function nginx(command: string, origin: string): Promise<Contender> {
  return proxy('nginx proxy_cache', command, ({ folder, port }) => {
    const file = join(folder, 'nginx.conf');
    const user = process.getuid?.() === 0 ? 'user root;' : '';
    writeFileSync(file, `
${user} daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 1000000000; sendfile on; tcp_nopush on;
  open_file_cache max=1000; open_file_cache_valid 1h;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  proxy_cache_path ${folder}/cache keys_zone=kept:10m inactive=1d;
  server { listen 127.0.0.1:${port}; location / { proxy_pass ${origin}; proxy_cache kept; } }
}
`);
    return ['-p', folder, '-e', join(folder, 'error.log'), '-c', file];
  });
}

function haproxy(command: string, origin: string): Promise<Contender> {
  return proxy('HAProxy cache', command, ({ folder, port }) => {
    const file = join(folder, 'haproxy.cfg');
    writeFileSync(file, `
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
cache kept
  total-max-size 64
  max-object-size 1000000
  max-age 3600
frontend all
  bind 127.0.0.1:${port}
  http-request cache-use kept
  http-response cache-store kept
  default_backend origin
backend origin
  server origin ${new URL(origin).host}
`);
    return ['-db', '-f', file];
  });
}

function varnish(command: string, origin: string): Promise<Contender> {
  return proxy('Varnish', command, ({ folder, port }) => {
    const at = new URL(origin).host;
    return [
      '-F', '-n', join(folder, 'varnish'), '-a', `127.0.0.1:${port}`, '-b', at, '-s', 'malloc,64m',
      '-p', 'thread_pools=1',
    ];
  });
}

function find(...paths: string[]): string | undefined {
  return paths.find((path) => existsSync(path));
}

/** Ours, node:net, and the others as far as they are installed; all on one core. */
export async function cacheContenders(origin: string): Promise<Contender[]> {
  const contenders: Contender[] = [];
  const add = async (contender: Promise<Contender>): Promise<void> => {
    contenders.push(pinned(await contender));
  };
  const found = {
    nginx: findNginx(),
    haproxy: find('/usr/sbin/haproxy', '/usr/local/sbin/haproxy'),
    varnish: find('/usr/sbin/varnishd', '/usr/local/sbin/varnishd'),
  };
  try {
    await add(slipstream());
    await add(program('node:net, same bytes', ECHO));
    if (found.nginx !== undefined) await add(nginx(found.nginx, origin));
    if (found.haproxy !== undefined) await add(haproxy(found.haproxy, origin));
    if (found.varnish !== undefined) await add(varnish(found.varnish, origin));
    return contenders;
  } catch (error) {
    await Promise.allSettled(contenders.map((contender) => contender.stop()));
    throw error;
  }
}
