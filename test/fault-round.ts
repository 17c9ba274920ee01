// One round of a fault test: many requests at once, a process killed under them, and what became of each request.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import type { RunningHost } from './host-fixture.ts';
import { get } from './http-client.ts';

/** Who is killed. `nobody` shows that the round itself is sound. */
export type Victim = 'front' | 'app' | 'host' | 'nobody';

/** Answers after up to 100 ms, so that a kill always meets requests under way. */
export const FAULT_APP = `let turn = 0;
  require('node:http').createServer((request, response) => {
    request.resume();
    turn = (turn * 31 + 7) % 101;
    setTimeout(() => response.end('answer'), turn);
  }).listen(0);`;

/** No request of a round may be without an end for longer. */
const HANG_MS = 30_000;

/** How requests ended. */
export interface Outcomes {
  /** With an answer of the app. */
  answered: number;
  /** With an answer of the front: 5xx. */
  refused: number;
  /** With the end or the reset of the connection. */
  cut: number;
  /** Not at all. */
  hung: number;
}

type Outcome = keyof Outcomes;

function requestOnce(port: number): Promise<Outcome> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect({ port, host: '127.0.0.1' });
    const end = (outcome: Outcome): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(outcome);
    };
    const timer = setTimeout(() => end('hung'), HANG_MS);
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      const head = text.indexOf('\r\n\r\n');
      const length = /\r\ncontent-length: (\d+)\r\n/i.exec(text.slice(0, head + 2))?.[1];
      if (head >= 0 && text.length >= head + 4 + Number(length ?? Infinity)) {
        end(text.startsWith('HTTP/1.1 200 ') ? 'answered' : 'refused');
      } else if (text.endsWith('\r\n0\r\n\r\n')) {
        end(text.startsWith('HTTP/1.1 200 ') ? 'answered' : 'refused');
      }
    });
    socket.on('error', () => end('cut'));
    socket.on('close', () => end('cut'));
    socket.write('GET /app/ HTTP/1.1\r\nHost: localhost\r\n\r\n');
  });
}

/** Kills a process of the host the hard way. */
function kill(host: RunningHost, victim: Victim): void {
  if (victim === 'nobody') return;
  const pids = victim === 'host'
    ? [host.pid]
    : host.processes().filter(({ role }) => role === victim).map(({ pid }) => pid);
  assert.ok(pids.length > 0, `there is a ${victim} to kill`);
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      // It may have ended since it was listed.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

/** Sends `requests` at once, kills the victim after `delayMs`, waits for the end of each. */
export async function faultRound(
  host: RunningHost,
  options: { victim: Victim; requests: number; delayMs: number },
): Promise<Outcomes> {
  const { victim, requests, delayMs } = options;
  const outcomes: Outcomes = { answered: 0, refused: 0, cut: 0, hung: 0 };
  const all = Array.from({ length: requests }, () => requestOnce(host.port));
  await new Promise((resolve) => setTimeout(resolve, delayMs));
  kill(host, victim);
  for (const outcome of await Promise.all(all)) outcomes[outcome] += 1;
  return outcomes;
}

/** Waits until the app answers again. */
export async function untilServed(host: RunningHost): Promise<void> {
  const endMs = performance.now() + HANG_MS;
  for (;;) {
    const isServed = await get(`${host.url}app/`).then(({ status }) => status === 200, () => false);
    if (isServed) return;
    assert.ok(performance.now() < endMs, `the app answers again:\n${host.output()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Open file descriptors of the host and of its front, where the system tells. */
export function openFiles(host: RunningHost): { host: number; front: number } {
  const front = host.processes().find(({ role }) => role === 'front');
  return { host: countFiles(host.pid), front: front === undefined ? 0 : countFiles(front.pid) };
}

function countFiles(pid: number): number {
  return process.platform === 'linux' ? readdirSync(`/proc/${pid}/fd`).length : 0;
}
