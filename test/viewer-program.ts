// A viewer that is a process, so that it can be killed or stopped as a browser can: the client that
// `slipstream attach` uses, which prints each message that it is given, a line each.

import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../src/base/clock.ts';
import { PollClient, signIn } from '../src/debug/poll-client.ts';
import { until } from './http-client.ts';
import type { CdpMessage } from '../src/wire/poll-messages.ts';

const FILE = fileURLToPath(import.meta.url);

/** What it prints besides messages: how it stands. */
type Standing = 'open' | 'renewed' | 'end';

/** One viewer and what it has printed. */
export class ViewerProgram {
  readonly child: ChildProcess;
  /** Events in the order in which they were given to it; answers are left out. */
  readonly events: CdpMessage[] = [];
  readonly standings: Standing[] = [];

  private constructor(debuggerUrl: string) {
    this.child = spawn(process.execPath, [FILE, debuggerUrl], { stdio: ['ignore', 'pipe', 'inherit'] });
    createInterface(this.child.stdout!).on('line', (line) => {
      const printed = JSON.parse(line) as { standing?: Standing; message?: CdpMessage };
      if (printed.standing !== undefined) this.standings.push(printed.standing);
      else if (printed.message?.id === undefined) this.events.push(printed.message!);
    });
  }

  /** Starts one at `<app>/debug/`; it has enabled what DevTools enables first. */
  static async start(debuggerUrl: string): Promise<ViewerProgram> {
    const viewer = new ViewerProgram(debuggerUrl);
    await until('the viewer is there', () => (viewer.standings.includes('open') ? true : undefined));
    return viewer;
  }
}

/** Runs in the process. */
async function view(debuggerUrl: string): Promise<void> {
  const say = (printed: { standing: Standing } | { message: unknown }): void => {
    process.stdout.write(`${JSON.stringify(printed)}\n`);
  };
  const base = new URL('cdp/', debuggerUrl);
  const { key } = await signIn(base, {});
  let enabled = 0;
  const client = new PollClient({
    base,
    key,
    clock: systemClock,
    onMessage: (message) => {
      say({ message });
      const { method, params, id } = message as unknown as CdpMessage;
      if (method === 'Target.attachedToTarget') {
        const { sessionId } = params as { sessionId: string };
        const commands = ['Runtime.enable', 'Debugger.enable'];
        commands.forEach((name, index) => client.send(JSON.stringify({ id: index + 2, method: name, sessionId })));
      } else if (id !== undefined && id >= 2 && ++enabled === 2) {
        say({ standing: 'open' });
      }
    },
    onRenewed: () => say({ standing: 'renewed' }),
    onEnd: () => say({ standing: 'end' }),
  });
  await client.open();
  const params = { autoAttach: true, waitForDebuggerOnStart: false, flatten: true };
  client.send(JSON.stringify({ id: 1, method: 'Target.setAutoAttach', params }));
}

if (process.argv[1] === FILE) await view(process.argv[2]!);
