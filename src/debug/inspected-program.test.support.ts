// Starts a node program with its inspector open, for tests that attach to one.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** A program and the port of its inspector. */
export interface InspectedProgram {
  child: ChildProcess;
  exited: Promise<unknown[]>;
  port: number;
}

/** Starts `file`, which stops first as `flag` says: `inspect`, `inspect-brk`, `inspect-wait`. End it after the test. */
export async function startInspected(file: string, flag: string): Promise<InspectedProgram> {
  const child = spawn(process.execPath, [`--${flag}=127.0.0.1:0`, file], { stdio: ['pipe', 'pipe', 'pipe'] });
  const exited = once(child, 'exit');
  let said = '';
  const port = await new Promise<number>((resolve, reject) => {
    child.stderr.on('data', (part: Buffer) => {
      said += part.toString();
      const found = /ws:\/\/127\.0\.0\.1:(\d+)\//.exec(said)?.[1];
      if (found !== undefined) resolve(Number(found));
    });
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`the program ended without an inspector: ${said}`)));
  });
  return { child, exited, port };
}
