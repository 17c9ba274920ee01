// A session proxy process: serves <app>/debug/ of one debuggee over the link, like any app. It ends with
// its debuggee, with SIGTERM, or when no front was there for a while. It may outlive its host: session-keeper.ts.

import '../client/register.ts';
import { createServer, type Server } from 'node:http';
import { delimiter } from 'node:path';
import { isLocalRequest } from '../client/client.ts';
import { pause, systemClock } from '../base/clock.ts';
import { createLog, type Log } from '../base/log.ts';
import { messageOf } from '../base/host-error.ts';
import { assert } from '../base/assert.ts';
import { createSessionProxy, type SessionProxy } from '../debug/session-proxy.ts';
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
/** A session that is closed waits so long for viewers to hear of it, and for what they still have to keep. */
const LEAVING_MS = 250;
/** The host knows within that time what the debuggee printed last. */
const LAST_WORDS_WAIT_MS = 600;
/** Less than the host waits for the end of this process. */
const TELLING_MS = 900;

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

/** How this process ends. */
class Ending {
  #proxy: SessionProxy;
  #server: Server;
  #isTelling = false;
  #isStaying = false;

  constructor(proxy: SessionProxy, server: Server) {
    this.#proxy = proxy;
    this.#server = server;
  }

  /** The session is to end. */
  close(): void {
    this.#proxy.close();
    void this.#left().then(() => this.#isTelling || process.exit(0));
  }

  /** Held polls hear of the end before the process is gone. */
  async #left(): Promise<void> {
    await Promise.race([this.#proxy.told, pause(LEAVING_MS, systemClock)]);
    await pause(CLOSING_MS, systemClock);
  }

  /** See {@link SessionKeeperOptions.onEnd}. */
  end(how: 'go' | 'stay', keeper: SessionKeeper): void {
    if (how === 'stay') this.#stay(keeper);
    else if (this.#isStaying) process.exit(0);
    else this.close();
  }

  /** The debuggee went by itself: all viewers hear its last words, however slow their line. */
  tell({ stderr }: SessionLastWords): void {
    const { ended, told } = this.#proxy;
    this.#isTelling = true;
    this.#proxy.hearLastWords(stderr);
    void ended.then(() => setTimeout(() => process.exit(0), TELLING_MS));
    void told.then(() => setTimeout(() => process.exit(0), CLOSING_MS));
  }

  /** The session is over. */
  farewell(): void {
    setTimeout(() => this.#isStaying || process.exit(0), FAREWELL_MS);
  }

  /** The session is to end, and somebody has to read what its processes print. */
  #stay(keeper: SessionKeeper): void {
    this.#isStaying = true;
    this.#proxy.close();
    void this.#left().then(async () => {
      this.#server.close();
      keeper.over();
      await keeper.drained();
      process.exit(0);
    });
  }
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
  const server = createServer((request, response) => proxy.handle(request, response));
  const ending = new Ending(proxy, server);
  const add = ({ pid, port }: SessionAddition): void => proxy.add({ pid, inspector: { kind: 'port', port } });
  const path = adoptionSocket(firstLinkSocket(), process.pid);
  const hear = (word: SessionAddition | SessionLastWords): void => {
    if (word.kind === 'add') add(word);
    else ending.tell(word);
  };
  const onEnd = (how: 'go' | 'stay'): void => ending.end(how, keeper!);
  const keeper = path === undefined ? null : new SessionKeeper({ path, onWord: hear, onEnd, log });
  process.on('SIGTERM', () => ending.close());
  process.on('message', (message: HostToSession, handle: unknown) => {
    if (message.kind === 'ping') send({ kind: 'pong' });
    else if (message.kind === 'pipe') keeper?.take(message.pid, message.stream, handle);
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
    ending.farewell();
  });
  await proxy.ready;
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
