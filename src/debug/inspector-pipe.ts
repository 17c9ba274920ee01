// A proxy process between a V8 inspector and debugger sockets: holds the one session, with everything that V8
// says but once, while users come and go. Each user has flat CDP, a message a line; a line that is no message
// ends its connection, so that no browser can be made to speak here. Ends with the program.

import { rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { Debuggee, type ListedTarget } from './debuggee.ts';
import { createMessageCutter, PROXY_READY_MARK } from './pipe-proxy.ts';
import { VirtualSession } from './virtual-session.ts';

/** Most users at a time. */
const USERS_MAX = 64;
/** Bytes that one user has not read yet, or of one message of a user; more end its connection. */
const UNREAD_BYTES_MAX = 536_870_912;
const MESSAGE_BYTES_MAX = 67_108_864;

/** The one command that is ours: `{ breakpoints: { breakpointId, params, locations }[] }`. */
export const LIST_BREAKPOINTS = 'Slipstream.listBreakpoints';

/** Where the two sides of the proxy are, on 127.0.0.1. */
export interface InspectorPipeOptions {
  debuggeePort: number;
  /** Where users come: a port, or the path of a Unix socket. */
  listen: number | string;
}

/** Source of the proxy for `node -e`. Exits with 0 when the program ended, 1 without one, 2 beside another proxy. */
export function inspectorPipeSource(options: InspectorPipeOptions): string {
  const [file, parameters] = [import.meta.url, options].map((part) => JSON.stringify(part));
  return `import(${file}).then((file) => file.runInspectorPipe(${parameters}));`;
}

/** Runs in the proxy process, for all of its life. */
export async function runInspectorPipe({ debuggeePort, listen }: InspectorPipeOptions): Promise<void> {
  const sessions = new Map<VirtualSession, Socket>();
  const debuggee = new Debuggee({
    pid: 0,
    inspector: { kind: 'port', port: debuggeePort },
    title: `port ${debuggeePort}`,
    armed: () => ({ remembered: [], breakpoints: [] }),
    armedChanged: () => {},
    unattended: { kind: 'hold' },
    clock: systemClock,
    log: silentLog,
    workerAttached: (worker) => isReady && forAll((session) => session.attached(worker)),
    workerDetached: (worker) => isReady && forAll((session) => session.detached(worker)),
    pauseChanged: () => {},
  });
  const forAll = (act: (session: VirtualSession) => void): void => {
    for (const session of sessions.keys()) act(session);
  };
  // Users may be here before the program is.
  let isReady = false;
  const threads = (): ListedTarget[] => (isReady ? [debuggee.main!, ...debuggee.workers()] : []);
  const server = createServer((user) => {
    if (sessions.size >= USERS_MAX) user.destroy();
    else serve(user, debuggee, threads, sessions);
  });
  // Another one may be on its way here: the first that listens is the one, and only it takes a session.
  server.on('error', () => process.exit(2));
  if (typeof listen === 'string') {
    if (!(await isThere(listen)) && process.platform !== 'win32') rmSync(listen, { force: true });
    process.umask(0o177);
  }
  await new Promise<void>((resolve) => {
    if (typeof listen === 'string') server.listen(listen, resolve);
    else server.listen(listen, '127.0.0.1', resolve);
  });
  try {
    await debuggee.attach();
  } catch {
    process.exit(1);
  }
  isReady = true;
  for (const thread of threads()) forAll((session) => session.attached(thread));
  process.stdout.write(`${PROXY_READY_MARK}\n`);
  const reason = await debuggee.ended;
  for (const [session, user] of sessions) {
    session.ended(reason);
    user.end();
  }
  server.close(() => process.exit(0));
  setTimeout(() => process.exit(0), 1000).unref();
}

function serve(
  user: Socket,
  debuggee: Debuggee,
  threads: () => ListedTarget[],
  sessions: Map<VirtualSession, Socket>,
): void {
  const send = (text: string): void => {
    user.write(`${text}\n`);
    if (user.writableLength > UNREAD_BYTES_MAX) user.destroy();
  };
  const session = new VirtualSession(threads, send, { role: () => 'full', audit: () => {} });
  sessions.set(session, user);
  const cut = createMessageCutter('lines');
  user.setNoDelay(true);
  user.on('error', () => user.destroy());
  user.on('close', () => {
    sessions.delete(session);
    session.close();
  });
  user.on('data', (part: Buffer) => {
    const { whole, waiting } = cut(part);
    if (waiting > MESSAGE_BYTES_MAX) user.destroy();
    for (const line of whole) {
      if (user.destroyed) return;
      const message = messageOf(line);
      if (message === null) user.destroy();
      else if (message['method'] === LIST_BREAKPOINTS) {
        const breakpoints = debuggee.main?.target.breakpoints.list() ?? [];
        send(JSON.stringify({ id: message['id'], result: { breakpoints } }));
      } else session.receive(message);
    }
  });
}

/** False also for the socket that a killed proxy left behind. */
function isThere(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once('error', () => resolve(false));
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
  });
}

function messageOf(line: Buffer): Record<string, unknown> | null {
  try {
    const message: unknown = JSON.parse(String(line));
    return typeof message === 'object' ? (message as Record<string, unknown> | null) : null;
  } catch {
    // Not one who speaks our language.
    return null;
  }
}
