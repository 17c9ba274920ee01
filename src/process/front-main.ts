// The front process: joins the HTTP front with the host over IPC. Started by the host only.
// When the host is gone it answers what is under way, ends hosted processes that stay, and exits.

import { createFront, type Front } from '../http/http.ts';
import { assert } from '../base/assert.ts';
import { keepMemoryOutOfCores } from '../base/core-files.ts';
import { createLog, type Log } from '../base/log.ts';
import { systemClock } from '../base/clock.ts';
import { messageOf } from '../base/host-error.ts';
import { defaultsOf } from '../base/setting.ts';
import { FRONT_LIMITS } from '../base/limits.ts';
import type { Decision, ExpectedProcess, FrontToHost, HostToFront } from '../wire/front-messages.ts';

/** Without a host: how long requests may finish, and when processes that did not end are killed. */
const ORPHAN_DRAIN_MS = 1000;
const ORPHAN_KILL_MS = 3500;

const asks = new Map<number, (decision: Decision) => void>();
/** Processes that the host started, as it told them: what a process says of itself is no reason to kill. */
const pids = new Map<string, number>();
let nextAsk = 1;

function send(message: FrontToHost): void {
  if (process.connected) process.send?.(message);
}

function createLinkedFront(log: Log): Front {
  return createFront({
    limits: defaultsOf(FRONT_LIMITS),
    clock: systemClock,
    log,
    host: {
      activate: (group) => send({ kind: 'activate', group }),
      ask: ({ group, prefix, request }) =>
        new Promise((resolve) => {
          const ask = nextAsk++;
          asks.set(ask, resolve);
          send({ kind: 'ask', ask, group, prefix, request });
        }),
      ready: (id, pid) => send({ kind: 'ready', process: id, pid }),
      unready: (id) => send({ kind: 'unready', process: id }),
      unlinked(id) {
        send({ kind: 'unlinked', process: id });
      },
      drained: (id) => send({ kind: 'drained', process: id }),
    },
  });
}

async function configure(front: Front, message: HostToFront & { kind: 'configure' }): Promise<void> {
  message.processes.forEach(notePid);
  front.configure(message);
  await front.acceptLinks(message.linkSocket);
  for (const path of message.formerLinks ?? []) await front.acceptLinks(path);
  for (const { path, uid } of message.userLinks ?? []) await front.acceptLinks(path, uid);
  send({ kind: 'configured' });
}

async function listen(front: Front, id: number, origin: string, handle: unknown): Promise<void> {
  try {
    const { port } = await front.listen(handle, origin);
    send({ kind: 'listening', id, port });
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code ?? 'UNKNOWN';
    send({ kind: 'listen-failed', id, errno, message: messageOf(error) });
  }
}

async function exitWhenDrained(front: Front, timeoutMs: number): Promise<void> {
  await front.drain(timeoutMs);
  front.close();
  process.exit(0);
}

/** The host is gone for good: nobody will start or stop anything any more. */
async function exitAsOrphan(front: Front): Promise<void> {
  const startedMs = systemClock.now();
  await front.drain(ORPHAN_DRAIN_MS);
  front.close();
  const waitMs = pids.size === 0 ? 0 : Math.max(0, ORPHAN_KILL_MS - (systemClock.now() - startedMs));
  setTimeout(() => {
    for (const pid of pids.values()) killGroup(pid);
    process.exit(0);
  }, waitMs);
}

function notePid({ id, pid, isKept }: ExpectedProcess): void {
  // Somebody else ends those that are kept.
  if (isKept === true) pids.delete(id);
  else if (pid !== undefined) pids.set(id, pid);
}

function killGroup(pid: number): void {
  for (const target of [-pid, pid]) {
    try {
      process.kill(target, 'SIGKILL');
    } catch (error) {
      // Gone already, which is what is wanted.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

function receive(front: Front, message: HostToFront, handle: unknown): void {
  switch (message.kind) {
    case 'configure':
      void configure(front, message);
      break;
    case 'listen':
      void listen(front, message.id, message.origin, handle);
      break;
    case 'tls':
      front.tls(message.tls);
      break;
    case 'unlisten':
      front.unlisten(message.origin);
      break;
    case 'routes':
      front.routes(message.routes, message.groups);
      break;
    case 'reconfigure':
      front.configure({ ...message, processes: [] });
      break;
    case 'expect':
      notePid(message.process);
      front.expect(message.process);
      break;
    case 'retire':
      front.retire(message.process);
      break;
    case 'hold':
      front.hold(message.process, message.isHeld);
      break;
    case 'forget':
      pids.delete(message.process);
      front.forget(message.process);
      break;
    case 'failed':
      front.failed(message.group, message.failure);
      break;
    case 'decision':
      asks.get(message.ask)?.(message.decision);
      asks.delete(message.ask);
      break;
    case 'report':
      send({ kind: 'report', id: message.id, report: front.report() });
      break;
    case 'ping':
      send({ kind: 'pong' });
      break;
    case 'cache':
      send({ kind: 'cache', id: message.id, answer: front.cache(message.ask) });
      break;
    case 'drain':
      void exitWhenDrained(front, message.timeoutMs);
      break;
  }
}

function main(): void {
  assert(process.send !== undefined, 'the front is started by the host');
  process.title = 'slipstream front';
  keepMemoryOutOfCores();
  const json = process.argv.includes('--json');
  const log = createLog({ json, write: (line) => process.stdout.write(line) }).with({ from: 'front' });
  // The host may be gone before its output is.
  process.stdout.on('error', () => process.stdout.destroy());
  const front = createLinkedFront(log);
  process.on('message', (message: HostToFront, handle) => receive(front, message, handle));
  process.on('disconnect', () => void exitAsOrphan(front));
  // A terminal sends signals to all; the host says when.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});
}

main();
