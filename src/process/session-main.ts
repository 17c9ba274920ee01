// A session proxy process: serves <app>/debug/ of one debuggee over the link, like any app. It ends with
// its debuggee, with SIGTERM, or when no front was there for a while. It may outlive its host: session-keeper.ts.

import '../client/register.ts';
import { createServer } from 'node:http';
import { delimiter } from 'node:path';
import { isLocalRequest } from '../client/client.ts';
import { systemClock } from '../base/clock.ts';
import { createLog, type Log } from '../base/log.ts';
import { messageOf } from '../base/host-error.ts';
import { assert } from '../base/assert.ts';
import { createSessionProxy } from '../debug/session-proxy.ts';
import { createUiFiles } from '../debug/ui-files.ts';
import { adoptionSocket } from '../wire/adoption-messages.ts';
import { childrenFolder } from '../wire/debug-children.ts';
import type {
  HostToSession, SessionAddition, SessionKeep, SessionLastWords, SessionOptions, SessionToHost,
} from '../wire/session-messages.ts';
import { SessionKeeper } from './session-keeper.ts';

/** Viewers fetch what is left for them before the process ends. */
const FAREWELL_MS = 1500;
const CLOSING_MS = 100;
/** The host knows within that time what the debuggee printed last. */
const LAST_WORDS_WAIT_MS = 600;
/** Less than the host waits for the end of this process. */
const TELLING_MS = 900;
/** Behind stdin, stdout, stderr and IPC: the output of the debuggee. */
const OUTPUT_DESCRIPTORS = [4, 5];

/** Where the host is that started this. */
function firstLinkSocket(): string {
  return (process.env['SLIPSTREAM_FRONTS'] ?? '').split(delimiter)[0] ?? '';
}

/** Below a process that was attached to live nothing was prepared. */
function childrenFolderOf(pid: number): string | undefined {
  return firstLinkSocket() === '' ? undefined : childrenFolder(firstLinkSocket(), pid);
}

/** A host that is gone hears nothing. */
function send(message: SessionToHost): void {
  if (process.connected) process.send?.(message, () => {});
}

async function main(): Promise<void> {
  const argument = process.argv[2];
  assert(argument !== undefined, 'the session proxy is started by the host');
  const options = JSON.parse(argument) as SessionOptions;
  process.title = `slipstream session ${options.app}`;
  process.stdout.on('error', () => process.stdout.destroy());
  const write = (line: string): void => void process.stdout.write(line);
  const log = createLog({ json: options.json, write }).with({ from: 'session', app: options.app });
  const proxy = createSessionProxy({
    ...options,
    uiFiles: createUiFiles(options.uiFolder),
    others: options.others.map(({ pid, port }) => ({ pid, inspector: { kind: 'port', port } })),
    isLocal: isLocalRequest,
    lastWordsWaitMs: LAST_WORDS_WAIT_MS,
    childrenFolder: options.isLive ? undefined : childrenFolderOf(options.pid),
    onReport(report) {
      keeper?.report(report);
      send(report);
    },
    clock: systemClock,
    log,
  });
  let isTelling = false;
  const close = (): void => {
    proxy.close();
    // Held polls hear of it before the process is gone.
    setTimeout(() => isTelling || process.exit(0), CLOSING_MS);
  };
  /** The debuggee went by itself: all viewers hear its last words, however slow their line. */
  const tell = ({ stderr }: SessionLastWords): void => {
    isTelling = true;
    proxy.hearLastWords(stderr);
    void proxy.ended.then(() => setTimeout(() => process.exit(0), TELLING_MS));
    void proxy.told.then(() => setTimeout(() => process.exit(0), CLOSING_MS));
  };
  const add = ({ pid, port }: SessionAddition): void => proxy.add({ pid, inspector: { kind: 'port', port } });
  const path = adoptionSocket(firstLinkSocket(), process.pid);
  const output = options.hasOutput ? OUTPUT_DESCRIPTORS : [];
  const hear = (word: SessionAddition | SessionLastWords): void => (word.kind === 'add' ? add(word) : tell(word));
  const keeper = path === undefined ? null : new SessionKeeper({ path, output, onWord: hear, onEnd: close, log });
  process.on('SIGTERM', close);
  process.on('message', (message: HostToSession) => {
    if (message.kind === 'ping') send({ kind: 'pong' });
    else if (message.kind === 'keep') void keep(keeper, message, log);
    else hear(message);
  });
  process.on('disconnect', () => keeper?.lost());
  process.on('exit', () => keeper?.end());
  // The host may go and another one come; its channel must not keep this process alive.
  process.channel?.unref();
  // A terminal sends this to all; the host says when.
  process.on('SIGINT', () => {});
  void proxy.ended.then((reason) => {
    log.info('session-ended', { reason });
    setTimeout(() => process.exit(0), FAREWELL_MS);
  });
  await proxy.ready;
  const server = createServer((request, response) => proxy.handle(request, response));
  server.on('upgrade', (request, socket, head) => proxy.upgrade(request, socket, head));
  server.listen(0);
}

async function keep(keeper: SessionKeeper | null, { session }: SessionKeep, log: Log): Promise<void> {
  try {
    await keeper?.keep(session);
    if (keeper !== null) send({ kind: 'kept' });
  } catch (error) {
    // The session ends with its host then.
    log.warn('session-not-kept', { reason: messageOf(error) });
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`slipstream session: ${messageOf(error)}\n`);
  process.exit(1);
});
