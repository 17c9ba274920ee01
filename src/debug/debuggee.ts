// The permanent inspector session of one debuggee: its main thread and its workers as shared targets. Never
// keeps a finished program alive, never leaves a worker waiting. Workers wait at their start until the
// breakpoints of the main thread are armed in them.

import type { Clock } from '../base/clock.ts';
import { HostError, messageOf } from '../base/host-error.ts';
import type { Log } from '../base/log.ts';
import type { InspectorAddress } from '../wire/inspector-messages.ts';
import type { UnattendedPolicy } from '../wire/session-messages.ts';
import type { ArmedState } from './armed-state.ts';
import { InspectorClient, type InspectorEvent } from './inspector-client.ts';
import { describeAddress } from './inspector-address.ts';
import { dialInspector, type InspectorTransport } from './inspector-socket.ts';
import { SharedTarget } from './shared-target.ts';
import type { ReadSource } from './source-file.ts';
import { dialInspectorThread } from './thread-inspector.ts';

const DIAL_RETRIES = 50;
const DIAL_RETRY_DELAY_MS = 100;
/** Workers beyond these are not inspected. */
const WORKERS_MAX = 256;

/** A thread as viewers see it. */
export interface ListedTarget {
  /** Flat CDP session id: `p<pid>`, workers `p<pid>.<n>`. */
  sessionId: string;
  /** That of the program that a worker belongs to. */
  parent: string | undefined;
  type: 'node' | 'node_worker';
  title: string;
  url: string;
  target: SharedTarget;
}

/** A process and where its inspector is. */
export interface ProgramIds {
  /** 0: whichever is there. */
  pid: number;
  inspector: InspectorAddress;
}

/** What {@link Debuggee} needs. */
export interface DebuggeeOptions extends ProgramIds {
  title: string;
  pid: number;
  /** What is to be armed in it before it goes on. */
  armed(): ArmedState;
  /** Hears what is armed when that changed. */
  armedChanged(state: ArmedState): void;
  /** What becomes of a pause that nobody looks at. */
  unattended: UnattendedPolicy;
  /** Default: as this process may. */
  readSource?: ReadSource | undefined;
  clock: Clock;
  log: Log;
  /** A worker thread came; its breakpoints are armed. */
  workerAttached(worker: ListedTarget): void;
  workerDetached(worker: ListedTarget): void;
  /** The main thread stands, or goes on. */
  pauseChanged(): void;
}

interface Worker {
  listed: ListedTarget;
  /** Feeds its client. */
  receive(text: string): void;
  end(): void;
  isAnnounced: boolean;
}

/** A program that is being debugged. */
export class Debuggee {
  /** Settles with the reason when the session is over, for whatever reason. */
  readonly ended: Promise<string>;
  #options: DebuggeeOptions;
  #resolveEnded: (reason: string) => void = () => {};
  #isOver = false;
  #transport: InspectorTransport | null = null;
  #client: InspectorClient | null = null;
  #main: ListedTarget | null = null;
  #workers = new Map<string, Worker>();
  #reason: string | null = null;

  constructor(options: DebuggeeOptions) {
    this.#options = options;
    this.ended = new Promise((resolve) => (this.#resolveEnded = resolve));
  }

  get pid(): number {
    return this.#options.pid;
  }

  /** The main thread; null before the session is there. */
  get main(): ListedTarget | null {
    return this.#main;
  }

  /** All workers that viewers may see. */
  workers(): ListedTarget[] {
    return [...this.#workers.values()].filter((worker) => worker.isAnnounced).map((worker) => worker.listed);
  }

  /**
   * Attaches and lets the program go (up to its first line, if it was started that way).
   * @throws HostError DEBUGGEE_UNREACHABLE
   */
  async attach(): Promise<void> {
    const { title, pid, inspector, clock } = this.#options;
    const tries = { retries: DIAL_RETRIES, retryDelayMs: DIAL_RETRY_DELAY_MS, clock };
    const { transport, target: info } = await (inspector.kind === 'port'
      ? dialInspector({ port: inspector.port, ...tries })
      : dialInspectorThread({ path: inspector.path, ...tries }));
    if (this.#isOver) {
      transport.close();
      throw new HostError('DEBUGGEE_UNREACHABLE', 'the session was closed while it began');
    }
    this.#transport = transport;
    const client = new InspectorClient(transport, clock, {
      onEvent: (event) => this.#hear(event),
      onEnd: (reason) => this.#end(this.#reason ?? reason),
    });
    this.#client = client;
    this.#main = {
      sessionId: `p${pid}`,
      parent: undefined,
      type: 'node',
      title,
      url: info.url === '' ? 'file:///' : info.url,
      target: this.#makeMain(client),
    };
    // Without it, a program that has finished would wait for us to leave.
    this.#tell('NodeRuntime.notifyWhenWaitingForDisconnect', { enabled: true });
    this.#tell('NodeWorker.enable', { waitForDebuggerOnStart: true });
    try {
      // First of all alone: its answer tells whose inspector this is, before anything is let go.
      await client.call('Runtime.enable');
      await this.#main.target.start(this.#options.armed());
    } catch (error) {
      if (this.#reason === null) throw error;
      throw new HostError('DEBUGGEE_UNREACHABLE', this.#reason, { cause: error });
    }
  }

  #makeMain(client: InspectorClient): SharedTarget {
    const { armedChanged, clock, log, unattended, readSource } = this.#options;
    let isDue = false;
    const target: SharedTarget = new SharedTarget(client, log, {
      clock,
      unattended,
      readSource,
      passesStart: false,
      pauseChanged: () => this.#options.pauseChanged(),
      changed() {
        // Changes of one turn are written together.
        if (isDue) return;
        isDue = true;
        setImmediate(() => {
          isDue = false;
          armedChanged(target.armed());
        });
      },
    });
    return target;
  }

  /** Slows the inspector down while viewers lag behind. */
  setPressure(isHigh: boolean): void {
    if (isHigh) this.#transport?.pause();
    else this.#transport?.resume();
  }

  /** The program goes on without an inspector that others could find. Follow it by {@link close}. */
  closeInspector(): void {
    // A moment later: it waits for this very session to go.
    const expression = "setTimeout(() => process.getBuiltinModule('node:inspector').close(), 50).unref()";
    this.#tell('Runtime.evaluate', { expression });
  }

  /** Lets the program go. */
  close(reason: string): void {
    this.#reason ??= reason;
    // A worker that stands when its parent's session ends would stand for good.
    for (const { listed } of this.#workers.values()) {
      if (listed.target.replay.isPaused) this.#sendToWorker(workerIdOf(listed), RESUME);
    }
    this.#client?.close();
    this.#end(reason);
  }

  #end(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const worker of this.#workers.values()) worker.end();
    this.#resolveEnded(reason);
  }

  #hear(event: InspectorEvent): void {
    if (this.#isOver) return;
    switch (event.method) {
      case 'NodeRuntime.waitingForDisconnect':
        this.close('the program has finished');
        break;
      case 'NodeWorker.attachedToWorker':
        this.#workerAttached(event.params());
        break;
      case 'NodeWorker.detachedFromWorker':
        this.#workerDetached(String(event.params()['sessionId']));
        break;
      case 'NodeWorker.receivedMessageFromWorker': {
        const { sessionId, message } = event.params();
        this.#workers.get(String(sessionId))?.receive(String(message));
        break;
      }
      case 'Runtime.executionContextCreated':
        this.#checkProcess(event.params()['context']);
        this.#main?.target.hear(event);
        break;
      default:
        this.#main?.target.hear(event);
    }
  }

  /** Node names its main context `title[pid]`: another process may have been quicker to take the port. */
  #checkProcess(context: unknown): void {
    const { name } = (context ?? {}) as { name?: unknown };
    const pid = /\[(\d+)\]$/.exec(String(name))?.[1];
    const { pid: expected, inspector } = this.#options;
    if (pid === undefined || expected === 0 || Number(pid) === expected) return;
    const { auxData } = context as { auxData?: { isDefault?: unknown } };
    if (auxData?.isDefault !== true) return;
    this.close(`the inspector on ${describeAddress(inspector)} belongs to process ${pid}, not to ${expected}`);
  }

  #workerAttached(params: Record<string, unknown>): void {
    const { clock, log, pid, unattended, readSource } = this.#options;
    const id = String(params['sessionId']);
    if (this.#workers.size >= WORKERS_MAX) {
      this.#sendToWorker(id, '{"id":1,"method":"Runtime.runIfWaitingForDebugger"}');
      this.#tell('NodeWorker.detach', { sessionId: id });
      return;
    }
    const info = (params['workerInfo'] ?? {}) as { title?: unknown; url?: unknown };
    const pipe = new WorkerPipe((text) => this.#sendToWorker(id, text));
    const client: InspectorClient = new InspectorClient(pipe, clock, {
      onEvent: (event) => listed.target.hear(event),
      onEnd: () => {},
    });
    const listed: ListedTarget = {
      sessionId: `p${pid}.${id}`,
      parent: `p${pid}`,
      type: 'node_worker',
      title: String(info.title ?? `worker ${id}`),
      url: String(info.url ?? ''),
      target: new SharedTarget(client, log, { passesStart: true, clock, unattended, readSource }),
    };
    const worker: Worker = {
      listed,
      receive: (text) => pipe.receive(text),
      end: () => pipe.end(),
      isAnnounced: false,
    };
    this.#workers.set(id, worker);
    void this.#startWorker(id, worker);
  }

  async #startWorker(id: string, worker: Worker): Promise<void> {
    try {
      await worker.listed.target.start(this.#main?.target.armed() ?? { remembered: [], breakpoints: [] });
    } catch (error) {
      // It ended before it began.
      this.#options.log.debug('worker-not-inspected', { worker: id, reason: messageOf(error) });
      return;
    }
    if (this.#isOver || this.#workers.get(id) !== worker) return;
    worker.isAnnounced = true;
    this.#options.workerAttached(worker.listed);
  }

  #workerDetached(id: string): void {
    const worker = this.#workers.get(id);
    if (worker === undefined) return;
    this.#workers.delete(id);
    worker.end();
    if (worker.isAnnounced) this.#options.workerDetached(worker.listed);
  }

  #sendToWorker(sessionId: string, message: string): void {
    this.#tell('NodeWorker.sendMessageToWorker', { sessionId, message });
  }

  #tell(method: string, params: Record<string, unknown>): void {
    this.#client?.forward(method, params, (tail) => {
      if (tail.startsWith('"error"')) this.#options.log.debug('inspector-command-failed', { method });
    });
  }
}

const RESUME = '{"id":2147483647,"method":"Debugger.resume"}';

function workerIdOf(listed: ListedTarget): string {
  return listed.sessionId.slice(listed.sessionId.indexOf('.') + 1);
}

/** Messages of a worker travel inside commands and events of its parent's session. */
class WorkerPipe implements InspectorTransport {
  #sendText: (text: string) => void;
  #listener: { onMessage(text: string): void; onEnd(reason: string): void } | null = null;

  constructor(sendText: (text: string) => void) {
    this.#sendText = sendText;
  }

  send(text: string): void {
    this.#sendText(text);
  }

  receive(text: string): void {
    this.#listener?.onMessage(text);
  }

  end(): void {
    const listener = this.#listener;
    this.#listener = null;
    listener?.onEnd('the worker ended');
  }

  close(): void {
    this.end();
  }

  // The parent's transport is paused for all of its threads.
  pause(): void {}
  resume(): void {}

  listen(listener: { onMessage(text: string): void; onEnd(reason: string): void }): void {
    this.#listener = listener;
  }
}
