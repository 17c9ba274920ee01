// Programs that join a host, started as their users would start them, with the preload.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startHost, type RunningHost } from './host-fixture.ts';
import { until } from './http-client.ts';

const PRELOAD_PLACE = import.meta.url.endsWith('.ts') ? '../dist/register.cjs' : '../register.cjs';

/** The bundled preload. */
export const PRELOAD = fileURLToPath(new URL(PRELOAD_PLACE, import.meta.url));

/** A program of a test. */
export interface Program {
  child: ChildProcess;
  /** The first match in its output, now or later. Rejects when it ends before. */
  line(pattern: RegExp): Promise<RegExpMatchArray>;
  /** Kills it. */
  end(): Promise<void>;
}

/** Ends what a test runs. */
const running: (() => Promise<void>)[] = [];

/** A host that stops behind the programs of the test. */
export async function hostFor(
  t: TestContext,
  files: Record<string, string> = {},
  options: { args?: string[]; env?: Record<string, string>; config?: string } = {},
): Promise<RunningHost> {
  const host = await startHost({ files, ...options });
  t.after(async () => {
    for (const end of running.splice(0)) await end();
    await host.stop();
  });
  return host;
}

/** Asks until the answer is yes. */
export function eventually(probe: () => Promise<boolean>): Promise<true> {
  return until(String(probe), async () => ((await probe()) ? true : undefined));
}

/** Says its pid and the URL; its words are the arguments of listen. */
export const SAYS_PID = `
const server = require('http').createServer((request, response) => response.end(process.pid + ' ' + request.url));
const words = process.argv.slice(2).map((word) => /^(\\d+$|[{"])/.test(word) ? JSON.parse(word) : word);
server.on('error', (error) => console.log('failed ' + error.code + ' ' + error.message));
server.listen(...words, () => console.log('listens on ' + server.address().address + ' ' + server.address().port));
if (server.address()) console.log('at once ' + server.address().port);
process.on('SIGTERM', () => server.close(() => console.log('closed')));
`;

/** Runs a program with the preload, or with other flags for node, at once or as another user. */
export function run(
  t: TestContext,
  host: { home: string },
  source: string,
  args: string[] = [],
  options: { env?: Record<string, string>; uid?: number; flags?: string[]; isModule?: boolean } = {},
): Program {
  const folder = mkdtempSync(join(tmpdir(), 'slipstream-join-'));
  const file = join(folder, options.isModule === true ? 'program.mjs' : 'program.cjs');
  writeFileSync(file, source);
  chmodSync(folder, 0o755);
  const { uid } = options;
  const child = spawn(process.execPath, [...(options.flags ?? ['--require', PRELOAD]), file, ...args], {
    env: { ...process.env, SLIPSTREAM_HOME: host.home, NODE_OPTIONS: '', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: folder,
    ...(uid !== undefined && { uid, gid: uid }),
  });
  let text = '';
  const waiting = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
      for (const look of waiting) look();
    });
  }
  const exited = once(child, 'exit');
  const end = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
    rmSync(folder, { recursive: true, force: true });
  };
  running.push(end);
  t.after(end);
  return {
    child,
    end,
    line: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const match = pattern.exec(text);
          if (match === null) return;
          waiting.delete(look);
          resolve(match);
        };
        waiting.add(look);
        void exited.then(() => {
          look();
          reject(new Error(`ended before it printed ${pattern}: ${text}`));
        });
        look();
      }),
  };
}
