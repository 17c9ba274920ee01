// The session proxies of the host: a process each, known to the front as the group debug:<app path>.

import { spawn, type ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { delimiter, join } from 'node:path';
import { HostError } from '../base/host-error.ts';
import { isLoopbackHost } from '../base/loopback.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { ExpectedProcess } from '../wire/front-messages.ts';
import type { InspectorAddress } from '../wire/inspector-messages.ts';
import type {
  HostToSession, SessionAddition, SessionOptions, SessionReport, SessionToHost, UnattendedPolicy,
} from '../wire/session-messages.ts';
import { watchChild } from './heartbeat.ts';

const READY_TIMEOUT_MS = 15_000;
const KILL_AFTER_MS = 1000;

export interface SessionProcess {
  pid: number;
  /** It serves `<app>/debug/`. */
  ready: Promise<void>;
  exited: Promise<void>;
  kill(): Promise<void>;
}

export interface SessionProcessesOptions {
  mainPath: string;
  uiFolder: string;
  /** Where DevTools settings are kept, a file an app, and who signed in. */
  settingsFolder: string;
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
  child: ChildProcess;
  ready: () => void;
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
}

/** Starts and ends session proxies. */
export class SessionProcesses {
  #options: SessionProcessesOptions;
  #running = new Map<string, Running>();
  #next = 1;

  constructor(options: SessionProcessesOptions) {
    this.#options = options;
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
    const expected = { id, group: request.group, key: randomBytes(24).toString('base64url') };
    this.#options.expect(expected);
    const child = this.#spawn(request, expected.key);
    const exited = new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      // Without a process there is no 'exit'.
      child.once('error', () => child.pid === undefined && resolve());
    });
    const ready = new Promise<void>((resolve, reject) => {
      const timer = this.#options.clock.after(READY_TIMEOUT_MS, () => {
        reject(this.#notReady(request, `within ${READY_TIMEOUT_MS} ms`));
      });
      const whenReady = (): void => {
        timer.stop();
        resolve();
      };
      this.#running.set(id, { group: request.group, child, ready: whenReady });
      void exited.then(() => {
        timer.stop();
        this.#running.delete(id);
        this.#options.forget(id);
        this.#options.onReport(request.appPath, null);
        reject(this.#notReady(request, 'before it ended'));
      });
    });
    // Whoever waits hears of it; nobody waits for a session that was killed at its start.
    ready.catch(() => {});
    return { pid: child.pid ?? 0, ready, exited, kill: () => this.#kill(child, exited) };
  }

  /** A process that belongs to the session of the group, if there is one. */
  add(group: string, process: { pid: number; port: number }): void {
    for (const { group: of, child } of this.#running.values()) {
      const addition: SessionAddition = { kind: 'add', ...process };
      if (of === group && child.connected) child.send(addition satisfies HostToSession);
    }
  }

  /** Kills all at once. */
  killAll(): void {
    for (const { child } of this.#running.values()) child.kill('SIGKILL');
  }

  #notReady(request: SessionRequest, when: string): HostError {
    return new HostError(
      'DEBUGGEE_UNREACHABLE',
      `the session proxy of app "${request.appName}" did not attach to the inspector ${when}`,
    );
  }

  #spawn(request: SessionRequest, key: string): ChildProcess {
    const { mainPath, uiFolder, settingsFolder, fronts, json, log, auth, auditMask } = this.#options;
    const digest = createHash('sha256').update(request.group).digest('hex').slice(0, 16);
    const options: SessionOptions = {
      app: request.appName,
      appPath: request.appPath,
      debuggerFolder: settingsFolder,
      auth,
      auditMask: [...auditMask],
      unattended: this.#options.unattended(request.scope),
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
      SLIPSTREAM_GRACE_MS: '30000',
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
    });
    child.once('exit', () => watch.stop());
    child.on('error', (error) => log.error('session-proxy-error', { reason: error.message }));
    return child;
  }

  async #kill(child: ChildProcess, exited: Promise<void>): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    const timer = this.#options.clock.after(KILL_AFTER_MS, () => child.kill('SIGKILL'));
    await exited;
    timer.stop();
  }
}
