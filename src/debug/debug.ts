// The door of this room: <app>/debug on the host's side, for all apps. It decides requests at the door; the
// rest of it is app-session.ts.

import { AppSession, type AppSessionOptions, type DebugStatus } from './app-session.ts';
import type { AskedRequest, Decision } from '../wire/front-messages.ts';
import { answerWith, redirectToDoor, unknownCommand } from './debug-answer.ts';
import type { AdoptedPair, DebuggerHost } from './debug-host.ts';
import type { DebugStart } from './debug-state.ts';
import { DoorAccess, type DoorAccessOptions } from './door-access.ts';
import type { ReaderVerdict } from './reader-access.ts';
import { portAddresses, threadAddresses } from './inspector-address.ts';

export type { Debuggee, DebuggeeStart, DebuggerHost, SessionProxyProcess } from './debug-host.ts';

/** The debugger of all apps. */
export interface AppDebugger {
  /** Decides on a request for exactly `<app>/debug` or `<app>/debug/`, with any query. */
  ask(app: string, request: AskedRequest): Promise<Decision>;
  /** True from the moment on at which the app's requests belong to a debuggee. */
  isDebugging(app: string): boolean;
  status(app: string): DebugStatus;
  /** Requests for the app that show this go to its debuggee, in scope `mine`; else null. */
  secretOf(app: string): string | null;
  /** Goes on with what a host before this one has started. To be called before anything is asked. */
  adopt(app: string, pair: AdoptedPair): void;
  /** Whether a request may read the logs and developer pages of the app. */
  reader(app: string, request: AskedRequest): ReaderVerdict;
  /** Files of the app changed: a debuggee is started again, with the same breakpoints. */
  changed(app: string): void;
  /** Ends every debuggee and session proxy; nothing starts afterwards. */
  stop(): Promise<void>;
}

/** What {@link createAppDebugger} needs. */
export interface AppDebuggerOptions extends DoorAccessOptions, AppSessionOptions {
  /** Ports for inspectors, both ends included. */
  portRange: { start: number; end: number };
  /** A private folder: inspectors that start get a socket there instead of a port. */
  socketFolder?: string;
}

/** Makes the debugger; it does nothing until asked. */
export function createAppDebugger(options: AppDebuggerOptions): AppDebugger {
  const { portRange, socketFolder } = options;
  const addresses = socketFolder === undefined ? portAddresses(portRange) : threadAddresses(socketFolder);
  const access = new DoorAccess(options);
  const apps = new Map<string, AppSession>();
  let isStopped = false;
  const sessionOf = (app: string): AppSession => {
    let session = apps.get(app);
    if (session === undefined) {
      session = new AppSession(app, options, addresses);
      if (isStopped) session.stop();
      apps.set(app, session);
    }
    return session;
  };
  return {
    ask: (app, request) => decide(app, request, access, { session: () => sessionOf(app), host: options.host }),
    isDebugging: (app) => apps.get(app)?.isDebugging() ?? false,
    status: (app) => apps.get(app)?.status() ?? { state: 'idle' },
    secretOf: (app) => apps.get(app)?.secret ?? null,
    adopt: (app, pair) => sessionOf(app).adopt(pair),
    reader: (app, request) => access.readers.judge(app, request),
    changed: (app) => apps.get(app)?.changed(),
    async stop() {
      isStopped = true;
      await Promise.all([...apps.values()].map((session) => session.stop()));
    },
  };
}

const COMMANDS = new Set([
  '', 'debug', 'brk', 'kill', 'live', 'restart', 'mine', 'everyone', 'requests', 'brk&mine', 'mine&brk',
]);

/** What a query asks to be started, where the settings of the app leave it open. */
function startOf(command: string, app: string, host: DebuggerHost): DebugStart {
  const words = new Set(command.split('&'));
  const pid = /(?:^|&)live=(\d{1,10})(?:&|$)/.exec(command)?.[1];
  // A process that serves everybody cannot be set apart.
  if (pid !== undefined) return { breakAtStart: false, scope: 'everyone', live: { pid: Number(pid) } };
  if (words.has('live')) return { breakAtStart: false, scope: 'everyone', live: {} };
  const settings = host.settingsOf(app);
  const breakAtStart = words.has('brk');
  const isMine = words.has('mine') || (settings.scope === 'mine' && !words.has('everyone'));
  const isOpen = !isMine && !breakAtStart && !words.has('restart') && !words.has('everyone');
  // Without a process there is nothing to attach to, and nothing to lose either.
  if (isOpen && settings.start === 'live' && host.isRunning(app)) {
    return { breakAtStart, scope: 'everyone', live: {} };
  }
  return { breakAtStart, scope: isMine ? 'mine' : 'everyone' };
}

async function decide(
  app: string,
  request: AskedRequest,
  access: DoorAccess,
  { session, host }: { session: () => AppSession; host: DebuggerHost },
): Promise<Decision> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return answerWith(405, 'The debugger opens by GET.\n', 'text/plain', ['Allow', 'GET, HEAD']);
  }
  if (!request.path.endsWith('/')) {
    return access.judge(app, request, 'attach') ?? redirectToDoor(request);
  }
  const query = new URLSearchParams(request.query);
  const link = query.get('link');
  if (link !== null) return access.signIn(app, request, link);
  const admission = query.get('requests') ?? '';
  if (admission !== '') return access.judgeScripted(app, request) ?? session().admit(request, admission);
  const command = request.query.slice(1).toLowerCase();
  if (!COMMANDS.has(command) && !/[=&]/.test(command)) {
    return access.judge(app, request, 'attach') ?? unknownCommand(host.settingsOf(app).masksFailures);
  }
  if (command === 'kill') return access.judge(app, request, 'kill') ?? session().kill();
  if (command === 'requests') return access.judge(app, request, 'attach') ?? session().showRequests(request);
  const wish = session().isDebugging() ? 'attach' : 'start';
  return access.judge(app, request, wish) ?? session().open(request, startOf(command, app, host));
}
