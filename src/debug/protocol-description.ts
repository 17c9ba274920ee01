// What Node's inspector answers at /json/protocol: its domains, commands and events, which CDP libraries ask for. Only
// an inspector can say it: a node process that does nothing else opens one for the moment that the question takes.

import { spawn, type ChildProcess } from 'node:child_process';
import { HostError } from '../base/host-error.ts';
import { askInspector } from './inspector-ready.ts';

/** The child ends by itself should nobody end it. */
const CHILD_LIFE_MS = 10_000;
const ADDRESS = /ws:\/\/127\.0\.0\.1:(\d+)\//;

/** The description of this Node's protocol. @throws HostError DEBUGGEE_UNREACHABLE */
export async function describeProtocol(): Promise<unknown> {
  const words = ['--inspect=127.0.0.1:0', '-e', `setTimeout(() => {}, ${CHILD_LIFE_MS})`];
  // What NODE_OPTIONS say is for programs, not for this one.
  const env = { ...process.env, NODE_OPTIONS: '' };
  const child = spawn(process.execPath, words, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  try {
    const description = await askInspector(await portOf(child), '/json/protocol');
    if (description === null) throw new HostError('DEBUGGEE_UNREACHABLE', 'node does not describe its protocol');
    return description;
  } finally {
    child.kill('SIGKILL');
  }
}

/** The port that it says it listens on. */
function portOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let said = '';
    child.stderr!.setEncoding('utf8').on('data', (part: string) => {
      said += part;
      const port = ADDRESS.exec(said)?.[1];
      if (port !== undefined) resolve(Number(port));
    });
    const fail = (): void => reject(new HostError('DEBUGGEE_UNREACHABLE', `node opened no inspector: ${said}`));
    child.once('error', fail);
    child.once('close', fail);
  });
}
