// What a benchmark compares: the same program alone, behind our front, and behind nginx. Each is a set of
// real processes with a URL; stop() ends them. CPU and memory are read from /proc, so benchmarks need Linux.

import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { descendantsOf, listProcesses } from '../scripts/process-list.ts';
import { startHost } from '../test/host-fixture.ts';

const START_TIMEOUT_MS = 20_000;
/** The unit of CPU times in /proc: 100 ticks a second on all Linux systems that we know. */
const TICK_US = 10_000;

export interface Contender {
  name: string;
  /** The app's URL, with a slash at its end. */
  url: string;
  /** Processes in front of the app. */
  frontPids(): number[];
  appPids(): number[];
  stop(): Promise<void>;
}

/** A free TCP port of 127.0.0.1. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Asks until it answers with 200. Rejects after {@link START_TIMEOUT_MS}. */
export async function answered(url: string): Promise<void> {
  const endMs = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      const response = await fetch(url, { headers: { connection: 'close' } });
      await response.arrayBuffer();
      if (response.status === 200) return;
    } catch (error) {
      if (performance.now() > endMs) throw error;
    }
    if (performance.now() > endMs) throw new Error(`${url} does not answer with 200`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Ends a process, unless it has ended. */
export async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  await once(child, 'exit');
}

function spawnApp(file: string, port: number | string): ChildProcess {
  const env = { ...process.env, PORT: String(port), SLIPSTREAM_BASE_PATH: '/app' };
  return spawn(process.execPath, [file], { env, stdio: ['ignore', 'ignore', 'inherit'] });
}

/** A place for the program and what serves it; packages of the checkout can be imported there. */
function makePlace(source: string): { folder: string; file: string } {
  const folder = mkdtempSync(join(tmpdir(), 'slipstream-bench-'));
  const file = join(folder, 'server.js');
  writeFileSync(file, source);
  return { folder, file };
}

/** The program on `node:http` alone. */
export async function nodeAlone(source: string): Promise<Contender> {
  const { folder, file } = makePlace(source);
  const port = await freePort();
  const child = spawnApp(file, port);
  const url = `http://127.0.0.1:${port}/app/`;
  const stop = async (): Promise<void> => {
    await ended(child, 'SIGTERM');
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await answered(url);
  } catch (error) {
    await stop();
    throw error;
  }
  const appPids = (): number[] => [child.pid!, ...descendantsOf(child.pid!).map(({ pid }) => pid)];
  return { name: 'node:http alone', url, frontPids: () => [], appPids, stop };
}

/** The program behind our front. */
export async function throughFront(source: string): Promise<Contender> {
  const host = await startHost({ files: { 'app/server.js': source } });
  const url = `${host.url}app/`;
  const pidsOf = (role: string): number[] =>
    host.processes().filter((entry) => entry.role === role).map((entry) => entry.pid);
  const stop = async (): Promise<void> => {
    await host.stop();
  };
  try {
    await answered(url);
  } catch (error) {
    await stop();
    throw error;
  }
  return { name: 'slipstream', url, frontPids: () => pidsOf('front'), appPids: () => pidsOf('app'), stop };
}

function nginxConfig(folder: string, port: number): string {
  // Workers that run as another user could not reach the socket.
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  return `
${user} daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
events { worker_connections 16384; }
http {
  access_log off; client_max_body_size 0; keepalive_requests 1000000000;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  upstream app { server unix:${folder}/app.sock; keepalive 128; keepalive_requests 1000000000; }
  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://app; proxy_http_version 1.1; proxy_request_buffering off; proxy_max_temp_file_size 0;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
      proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $remote_addr;
    }
  }
}
`;
}

/** Path of nginx, if it is installed. */
export function findNginx(): string | undefined {
  return ['/usr/sbin/nginx', '/usr/bin/nginx', '/usr/local/sbin/nginx'].find((path) => existsSync(path));
}

/** The program behind nginx with kept-alive upstream connections over a Unix socket. */
export async function throughNginx(source: string, nginx: string): Promise<Contender> {
  const { folder, file } = makePlace(source);
  const port = await freePort();
  const app = spawnApp(file, join(folder, 'app.sock'));
  writeFileSync(join(folder, 'nginx.conf'), nginxConfig(folder, port));
  const words = ['-p', folder, '-e', join(folder, 'error.log'), '-c', join(folder, 'nginx.conf')];
  const proxy = spawn(nginx, words, { stdio: ['ignore', 'ignore', 'inherit'] });
  const url = `http://127.0.0.1:${port}/app/`;
  const stop = async (): Promise<void> => {
    await Promise.all([ended(proxy, 'SIGTERM'), ended(app, 'SIGTERM')]);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await answered(url);
  } catch (error) {
    await stop();
    throw error;
  }
  const frontPids = (): number[] => [proxy.pid!, ...descendantsOf(proxy.pid!).map(({ pid }) => pid)];
  return { name: 'nginx → node:http', url, frontPids, appPids: () => [app.pid!], stop };
}

/** The program in all the ways that this machine can serve it; nginx is left out where it is missing. */
export async function allContenders(source: string): Promise<Contender[]> {
  const contenders: Contender[] = [];
  const nginx = findNginx();
  try {
    contenders.push(await throughFront(source));
    contenders.push(await nodeAlone(source));
    if (nginx !== undefined) contenders.push(await throughNginx(source, nginx));
  } catch (error) {
    await stopAll(contenders);
    throw error;
  }
  return contenders;
}

/** Stops all, even when one of them fails to. */
export async function stopAll(contenders: readonly Contender[]): Promise<void> {
  const results = await Promise.allSettled(contenders.map((contender) => contender.stop()));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/** CPU time of the processes so far, user and system, in µs. */
export function cpuUs(pids: readonly number[]): number {
  const entries = listProcesses().filter(({ pid }) => pids.includes(pid));
  return entries.reduce((sum, { cpuTicks }) => sum + cpuTicks * TICK_US, 0);
}

/** Resident memory of a process, in MB (10^6 bytes). */
export function residentMb(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return (Number(match?.[1] ?? 0) * 1024) / 1_000_000;
}

/** First line of what a program says about its version; undefined when it is missing. */
export function versionOf(command: string, args: readonly string[]): string | undefined {
  const { stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  return error === undefined ? `${stdout}${stderr}`.split('\n')[0]!.trim() : undefined;
}
