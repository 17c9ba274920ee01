// The session proxies of the host: a process each, known to the front as the group debug:<app path>.

import { spawn, type ChildProcess, type SendHandle } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { delimiter, join } from 'node:path';
import { HostError } from '../base/host-error.ts';
import { isLoopbackHost } from '../base/loopback.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { ExpectedProcess } from '../wire/front-messages.ts';
import type { InspectorAddress } from '../wire/inspector-messages.ts';
import type { AdoptableSession } from '../wire/adoption-messages.ts';
import type {
  HostToSession, SessionOptions, SessionReport, SessionToHost, UnattendedPolicy,
} from '../wire/session-messages.ts';
import { HeartbeatWatch, watchChild } from './heartbeat.ts';
import type { AdoptedSession } from './session-adoption.ts';

const READY_TIMEOUT_MS = 15_000;
const KILL_AFTER_MS = 1000;

export interface SessionProcess {
  pid: number;
  /** It serves `<app>/debug/`. */
  ready: Promise<void>;
  exited: Promise<void>;
  /** See debug-host.ts. */
  hearLastWords(stderr: string): void;
  kill(): Promise<void>;
}

export interface SessionProcessesOptions {
  mainPath: string;
  uiFolder: string;
  /** Where DevTools settings are kept, a file an app, and who signed in. */
  settingsFolder: string;
  signIns(): SessionOptions['signIns'];
  /** How long one lives without a front. */
  graceMs: number;
  auth: SessionOptions['auth'];
  auditMask: readonly string[];
  /** What becomes of a pause that nobody looks at, in a session that starts now. */
  unattended(scope: SessionOptions['scope']): UnattendedPolicy;
  fronts: readonly string[];
  expect(process: ExpectedProcess): void;
  forget(process: string): void;
  /** How the session of an app stands; null when it is over. */
  onReport(appPath: string, report: SessionReport | null): void;
  json: boolean;
  /** How long one may owe a sign of life; 0 is for ever. */
  hangTimeoutMs(): number;
  clock: Clock;
  log: Log;
}

interface Running {
  group: string;
  expected: ExpectedProcess;
  proxy: Proxy;
  ready: () => void;
  /** It says that other hosts find it. */
  kept: () => void;
}

/** A session proxy: a child of ours, or of a host before. */
interface Proxy {
  pid: number;
  exited: Promise<void>;
  send(message: HostToSession, handle?: unknown): void;
  /** Ends the session. */
  end(): void;
  /** At once. */
  killNow(): void;
}

/** What becomes of a pause that nobody looks at, in a host that listens at these URLs. */
export function unattendedPolicy(
  settings: { debuggerUnattended: string; debuggerUnattendedAfterMs: number },
  urls: readonly string[],
  scope: SessionOptions['scope'],
): UnattendedPolicy {
  const { debuggerUnattended: policy, debuggerUnattendedAfterMs: afterMs } = settings;
  if (policy === 'snapshot' || policy === 'hold') return { kind: policy };
  const hostOf = (url: string): string => url.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  const isAlone = scope === 'mine' || urls.every((url) => isLoopbackHost(hostOf(url)));
  return policy === 'auto' && isAlone ? { kind: 'hold' } : { kind: 'resume', afterMs };
}

/** Which debuggee a session proxy is for. */
export interface SessionRequest {
  appName: string;
  appPath: string;
  group: string;
  basePaths: string[];
  inspector: InspectorAddress;
  pid: number;
  others: SessionOptions['others'];
  breakAtStart: boolean;
  isLive: boolean;
  scope: SessionOptions['scope'];
  /** Who runs the app, where that is not the host's user. */
  user: SessionOptions['user'] | undefined;
  /** What the processes print, to be read there should this host be gone. */
  pipes: readonly OutputPipe[];
}

/** The reading end of what a process prints. */
export interface OutputPipe {
  pid: number;
  stream: 'stdout' | 'stderr';
  /** Node's own object. */
  handle: unknown;
}

/** Starts and ends session proxies. */
export class SessionProcesses {
  #options: SessionProcessesOptions;
  #running = new Map<string, Running>();
  #next = 1;

  constructor(options: SessionProcessesOptions) {
    this.#options = options;
  }

  /** A session of a host before this one. It dials by itself. */
  adopt(found: AdoptedSession, of: { group: string; appPath: string }): SessionProcess & { id: string } {
    const { group, appPath } = of;
    const { pid, key } = found.session.proxy;
    const id = `session-${this.#next++}`;
    const expected: ExpectedProcess = { id, group, key, pid, isKept: true };
    this.#options.expect(expected);
    const proxy: Proxy = {
      pid,
      exited: found.over,
      send: (message) => (message.kind === 'add' || message.kind === 'last-words') && found.send(message),
      end: () => found.send({ kind: 'end' }),
      killNow: () => found.isOpen && killed(pid),
    };
    const watch = this.#watchAdopted(found, appPath, proxy);
    found.onWord = (word) => {
      watch.heard();
      if (word.kind === 'report') this.#options.onReport(appPath, word);
    };
    void found.closed.then(() => watch.stop());
    return { id, pid, ready: Promise.resolve(), ...this.#run(proxy, { id, expected, group, appPath }, found.closed) };
  }

  /** Lets the session of the group outlive this host; `kept` is called when it will. */
  keep(group: string, session: Omit<AdoptableSession, 'links' | 'proxy'>, kept: () => void): void {
    for (const running of this.#running.values()) {
      if (running.group !== group) continue;
      const { expected, proxy } = running;
      running.kept = () => {
        expected.isKept = true;
        this.#options.expect(expected);
        kept();
      };
      const links = [...this.#options.fronts];
      proxy.send({ kind: 'keep', session: { ...session, links, proxy: { pid: proxy.pid, key: expected.key } } });
    }
  }

  /** What a process prints that was added. */
  pipe(group: string, pipes: readonly OutputPipe[]): void {
    for (const { group: of, proxy } of this.#running.values()) if (of === group) sendPipes(proxy, pipes);
  }

  /** The front says that this process listens; true when it is one of ours. */
  markReady(id: string): boolean {
    const running = this.#running.get(id);
    running?.ready();
    return running !== undefined;
  }

  has(id: string): boolean {
    return this.#running.has(id);
  }

  start(request: SessionRequest): SessionProcess {
    const id = `session-${this.#next++}`;
    const expected: ExpectedProcess = { id, group: request.group, key: randomBytes(24).toString('base64url') };
    this.#options.expect(expected);
    const proxy = this.#spawn(request, expected.key, id);
    if (proxy.pid !== 0) this.#options.expect(Object.assign(expected, { pid: proxy.pid }));
    const { group, appPath } = request;
    const running = this.#run(proxy, { id, expected, group, appPath });
    const ready = new Promise<void>((resolve, reject) => {
      const timer = this.#options.clock.after(READY_TIMEOUT_MS, () => {
        reject(this.#notReady(request, `within ${READY_TIMEOUT_MS} ms`));
      });
      this.#running.get(id)!.ready = () => {
        timer.stop();
        resolve();
      };
      void proxy.exited.then(() => {
        timer.stop();
        reject(this.#notReady(request, 'before it ended'));
      });
    });
    // Whoever waits hears of it; nobody waits for a session that was killed at its start.
    ready.catch(() => {});
    return { pid: proxy.pid, ready, ...running };
  }

  #run(
    proxy: Proxy,
    { id, expected, group, appPath }: Pick<Running, 'expected' | 'group'> & { id: string; appPath: string },
    gone = proxy.exited,
  ): Pick<SessionProcess, 'exited' | 'hearLastWords' | 'kill'> {
    this.#running.set(id, { group, expected, proxy, ready: () => {}, kept: () => {} });
    const exited = proxy.exited.then(() => {
      this.#running.delete(id);
      this.#options.onReport(appPath, null);
    });
    // It may be needed longer than the session: it keeps its link until then.
    void gone.then(() => this.#options.forget(id));
    const hearLastWords = (stderr: string): void => void proxy.send({ kind: 'last-words', stderr });
    return { exited, hearLastWords, kill: () => this.#kill(proxy, id) };
  }

  /** A process that belongs to the session of the group, if there is one. */
  add(group: string, process: { pid: number; port: number }): void {
    for (const { group: of, proxy } of this.#running.values()) {
      if (of === group) proxy.send({ kind: 'add', ...process });
    }
  }

  /** Kills all at once. */
  killAll(): void {
    for (const { proxy } of this.#running.values()) proxy.killNow();
  }

  #watchAdopted(found: AdoptedSession, appPath: string, { pid, killNow }: Proxy): HeartbeatWatch {
    const { clock, log, hangTimeoutMs: limitMs } = this.#options;
    return new HeartbeatWatch({
      clock,
      limitMs,
      ping: () => found.send({ kind: 'ping' }),
      onHung(silentMs) {
        const silence = { silentMs: Math.round(silentMs), limitMs: limitMs() };
        log.error('process-hung', { code: 'PROCESS_HUNG', process: `session of ${appPath}`, pid, ...silence });
        killNow();
      },
    });
  }

  #notReady(request: SessionRequest, when: string): HostError {
    return new HostError(
      'DEBUGGEE_UNREACHABLE',
      `the session proxy of app "${request.appName}" did not attach to the inspector ${when}`,
    );
  }

  #spawn(request: SessionRequest, key: string, id: string): Proxy {
    const { mainPath, uiFolder, settingsFolder, fronts, json, log, auth, auditMask } = this.#options;
    const digest = createHash('sha256').update(request.group).digest('hex').slice(0, 16);
    const options: SessionOptions = {
      app: request.appName,
      appPath: request.appPath,
      debuggerFolder: settingsFolder,
      auth,
      signIns: this.#options.signIns(),
      auditMask: [...auditMask],
      unattended: this.#options.unattended(request.scope),
      ...(request.user === undefined ? {} : { user: request.user }),
      pid: request.pid,
      inspector: request.inspector,
      others: request.others,
      breakAtStart: request.breakAtStart,
      isLive: request.isLive,
      scope: request.scope,
      basePaths: request.basePaths,
      settingsFile: join(settingsFolder, `${digest}.json`),
      uiFolder,
      json,
    };
    const environment: NodeJS.ProcessEnv = {
      ...process.env,
      SLIPSTREAM_FRONTS: fronts.join(delimiter),
      SLIPSTREAM_KEY: key,
      SLIPSTREAM_GRACE_MS: String(this.#options.graceMs),
    };
    delete environment['NODE_OPTIONS'];
    const child = spawn(process.execPath, [mainPath, JSON.stringify(options)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: environment,
    });
    const watch = watchChild(child, `session of ${request.appName}`, this.#options);
    child.on('message', (message: SessionToHost) => {
      watch.heard();
      if (message.kind === 'report') this.#options.onReport(request.appPath, message);
      else if (message.kind === 'kept') this.#running.get(id)?.kept();
    });
    child.once('exit', () => watch.stop());
    child.on('error', (error) => log.error('session-proxy-error', { reason: error.message }));
    const proxy = proxyOf(child);
    sendPipes(proxy, request.pipes);
    return proxy;
  }

  async #kill(proxy: Proxy, id: string): Promise<void> {
    if (!this.#running.has(id)) return;
    proxy.end();
    const timer = this.#options.clock.after(KILL_AFTER_MS, () => proxy.killNow());
    await proxy.exited;
    timer.stop();
  }
}

function sendPipes(proxy: Proxy, pipes: readonly OutputPipe[]): void {
  for (const { pid, stream, handle } of pipes) proxy.send({ kind: 'pipe', pid, stream }, handle);
}

function proxyOf(child: ChildProcess): Proxy {
  return {
    pid: child.pid ?? 0,
    exited: new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      // Without a process there is no 'exit'.
      child.once('error', () => child.pid === undefined && resolve());
    }),
    send: (message, handle) => child.connected && child.send(message, handle as SendHandle),
    end: () => child.kill('SIGTERM'),
    killNow: () => child.kill('SIGKILL'),
  };
}

function killed(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
