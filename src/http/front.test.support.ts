// A front on loopback, a client that writes bytes, and a process that speaks frames as a script says. Every wait
// is for an event; what was started is stopped by `stop`.

import { mkdtempSync, rmSync } from 'node:fs';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HandClock } from '../base/clock.ts';
import { FRONT_LIMITS, type FrontLimits } from '../base/limits.ts';
import { silentLog } from '../base/log.ts';
import { defaultsOf } from '../base/setting.ts';
import { FrameReader, FrameWriter } from '../wire/frame.ts';
import type { AskedRequest, Decision, Group, Route } from '../wire/front-messages.ts';
import {
  decodeEnd, decodeRequest, encodeEnd, LINK, LINK_VERSION, type LinkRequest,
} from '../wire/link-messages.ts';
import { createFront, type Front } from './http.ts';

/** Values in order, each waited for where it is not there yet. */
export class Inbox<T> {
  #values: T[] = [];
  #waiting: { accept: (value: T) => boolean; resolve: (value: T) => void }[] = [];

  push(value: T): void {
    const index = this.#waiting.findIndex(({ accept }) => accept(value));
    if (index < 0) this.#values.push(value);
    else this.#waiting.splice(index, 1)[0]!.resolve(value);
  }

  /** Takes the first value that fits, now or when it comes. */
  next(accept: (value: T) => boolean = () => true): Promise<T> {
    const index = this.#values.findIndex(accept);
    if (index >= 0) return Promise.resolve(this.#values.splice(index, 1)[0]!);
    return new Promise((resolve) => this.#waiting.push({ accept, resolve }));
  }

  /** Forgets what nobody took yet. */
  clear(): void {
    this.#values.length = 0;
  }

  /** What nobody took yet. */
  get rest(): readonly T[] {
    return this.#values;
  }
}

export interface Frame {
  type: number;
  channel: number;
  payload: Buffer;
}

/** The app's side of a link, by hand. */
export class FakeProcess {
  readonly frames = new Inbox<Frame>();
  readonly closed: Promise<void>;
  /** Answers requests by itself when set. REQUEST frames then do not go to `frames`. */
  onRequest: ((channel: number, request: LinkRequest) => void) | null = null;
  /** Gives credit for each DATA at once. */
  givesCredit = true;
  readonly socket: net.Socket;
  readonly writer: FrameWriter;

  constructor(socketPath: string) {
    this.socket = net.connect(socketPath);
    this.writer = new FrameWriter(this.socket);
    const reader = new FrameReader((type, channel, buffer, start, end) => {
      if (type === LINK.REQUEST && this.onRequest !== null) {
        this.onRequest(channel, decodeRequest(buffer, start, end));
        return;
      }
      if (type === LINK.DATA && this.givesCredit) this.writer.number(LINK.CREDIT, channel, end - start);
      this.frames.push({ type, channel, payload: Buffer.from(buffer.subarray(start, end)) });
    });
    this.socket.on('data', (chunk: Buffer) => reader.push(chunk));
    this.socket.on('error', () => this.socket.destroy());
    this.closed = new Promise((resolve) => this.socket.on('close', () => resolve()));
  }

  hello(key: string | undefined, version: number = LINK_VERSION): void {
    this.writer.json(LINK.HELLO, 0, { version, pid: 4711, ...(key === undefined ? {} : { key }) });
  }

  /** Resolves when requests may come. */
  async register(id = 1): Promise<void> {
    this.writer.json(LINK.REGISTER, 0, { id, prefixes: [] });
    await this.frame(LINK.REGISTERED);
  }

  /** The next frame of a type, maybe of one channel. */
  frame(type: number, channel?: number): Promise<Frame> {
    return this.frames.next(
      (frame) => frame.type === type && (channel === undefined || frame.channel === channel),
    );
  }

  async request(): Promise<{ channel: number; request: LinkRequest }> {
    const { channel, payload } = await this.frame(LINK.REQUEST);
    return { channel, request: decodeRequest(payload, 0, payload.length) };
  }

  /** DATA of a channel until its END: the body and the trailers. */
  async body(channel: number): Promise<{ text: string; trailers: string[] }> {
    let text = '';
    for (;;) {
      const frame = await this.frames.next(
        (next) => next.channel === channel && (next.type === LINK.DATA || next.type === LINK.END),
      );
      if (frame.type === LINK.END) return { text, trailers: decodeEnd(frame.payload, 0, frame.payload.length) };
      text += frame.payload.toString('latin1');
    }
  }

  data(channel: number, text: string | Buffer): void {
    const bytes = typeof text === 'string' ? Buffer.from(text, 'latin1') : text;
    this.writer.bytes(LINK.DATA, channel, bytes);
  }

  end(channel: number): void {
    encodeEnd(this.writer, channel, []);
  }

  /** A whole small answer. */
  answer(channel: number, body: string, head = 'HTTP/1.1 200 OK\r\n'): void {
    this.data(channel, `${head}Content-Length: ${body.length}\r\n\r\n${body}`);
    this.end(channel);
  }

  close(): void {
    this.socket.destroy();
  }
}

/** A client that writes bytes and waits for text. */
export class RawClient {
  readonly socket: net.Socket;
  received = '';
  readonly closed: Promise<'end' | 'reset'>;
  #waiting: { test: (received: string) => boolean; resolve: () => void; reject: (error: Error) => void }[] = [];
  #isEnded = false;
  #chunksSeen = 0;

  constructor(port: number) {
    this.socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    this.socket.on('data', (chunk: Buffer) => {
      this.#chunksSeen += 1;
      this.received += chunk.toString('latin1');
      this.#look();
    });
    this.socket.on('end', () => {
      this.#isEnded = true;
      this.#look();
    });
    this.closed = new Promise((resolve) => {
      let how: 'end' | 'reset' = 'end';
      this.socket.on('error', () => {
        how = 'reset';
      });
      this.socket.on('close', () => {
        this.#isEnded = true;
        this.#look();
        resolve(how);
      });
    });
  }

  /** Pieces in which the bytes came. */
  get chunksSeen(): number {
    return this.#chunksSeen;
  }

  write(text: string | Buffer): void {
    this.socket.write(text, 'latin1');
  }

  /** Sends a GET. */
  get(path: string, fields = ''): void {
    this.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n${fields}\r\n`);
  }

  /** Waits until `text` was received, and takes everything up to its end. */
  async until(text: string): Promise<string> {
    await this.#when((received) => received.includes(text));
    const end = this.received.indexOf(text) + text.length;
    const taken = this.received.slice(0, end);
    this.received = this.received.slice(end);
    return taken;
  }

  /** Everything until the server's end. */
  async rest(): Promise<string> {
    await this.#when(() => this.#isEnded);
    return this.received;
  }

  async bytes(count: number): Promise<void> {
    await this.#when((received) => received.length >= count);
  }

  #when(test: (received: string) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ test, resolve, reject });
      this.#look();
    });
  }

  #look(): void {
    for (const waiting of [...this.#waiting]) {
      if (waiting.test(this.received)) waiting.resolve();
      else if (this.#isEnded) waiting.reject(new Error(`the connection ended after: ${this.received}`));
      else continue;
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
    }
  }
}

export interface HostEvent {
  kind: 'activate' | 'ready' | 'unready' | 'unlinked' | 'drained';
  id: string;
}

export interface TestFront {
  front: Front;
  port: number;
  clock: HandClock;
  socketPath: string;
  events: Inbox<HostEvent>;
  asked: AskedRequest[];
  /** A linked and registered process; the first is `p1`. */
  join(id?: string): Promise<FakeProcess>;
  client(): RawClient;
  /** Turns the clock to just before and then behind every deadline of that many ms. */
  pass(ms: number): void;
  /** An edit of the limits, as the host hands it on while the front runs. */
  setLimits(limits: Partial<FrontLimits>): void;
}

export interface TestFrontOptions {
  limits?: Partial<FrontLimits>;
  routes?: Route[];
  groups?: Group[];
  /** Ids of processes that are expected, in group `app` or the one behind an `@`. Default p1, p2. */
  processes?: string[];
  ask?: (request: AskedRequest) => Decision | Promise<Decision>;
}

const APP: Group = { id: 'app', name: 'shop', onDemand: true, tellsLocal: true };

/** Runs `body` with a front that serves `/` by the group `app`; stops everything afterwards. */
export async function withFront(
  options: TestFrontOptions,
  body: (test: TestFront) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'slip-http-'));
  const clock = new HandClock();
  const events = new Inbox<HostEvent>();
  const asked: AskedRequest[] = [];
  const tell = (kind: HostEvent['kind']) => (id: string): void => events.push({ kind, id });
  const limits = { ...defaultsOf(FRONT_LIMITS), ...options.limits };
  const host = {
    activate: tell('activate'),
    ready: tell('ready'),
    unready: tell('unready'),
    unlinked: tell('unlinked'),
    drained: tell('drained'),
    ask: async ({ request }: { request: AskedRequest }): Promise<Decision> => {
      asked.push(request);
      return options.ask?.(request) ?? { kind: 'pass' };
    },
  };
  const front = createFront({ host, limits, clock, log: silentLog });
  const processes: FakeProcess[] = [];
  const clients: RawClient[] = [];
  try {
    const ids = options.processes ?? ['p1', 'p2'];
    const setup = {
      limits,
      routes: options.routes ?? [{ prefix: '/', group: 'app' }],
      groups: options.groups ?? [APP],
      processes: ids.map((id) => ({ key: `key-${id}`, id, group: id.split('@')[1] ?? 'app' })),
    };
    front.configure(setup);
    const setLimits = (edited: Partial<FrontLimits>): void =>
      front.configure({ ...setup, limits: { ...limits, ...edited } });
    const socketPath = join(folder, 'front.sock');
    await front.acceptLinks(socketPath);
    const { port } = await front.listen({ port: 0, host: '127.0.0.1' }, 'http://127.0.0.1:0');
    const client = (): RawClient => {
      const made = new RawClient(port);
      clients.push(made);
      return made;
    };
    const joinAs = async (id = 'p1'): Promise<FakeProcess> => {
      const process = new FakeProcess(socketPath);
      processes.push(process);
      process.hello(`key-${id}`);
      await process.frame(LINK.WELCOME);
      await process.register();
      return process;
    };
    const pass = (ms: number): void => clock.advance(ms + 2000);
    await body({ front, port, clock, socketPath, events, asked, join: joinAs, client, pass, setLimits });
  } finally {
    for (const client of clients) client.socket.destroy();
    for (const process of processes) process.close();
    front.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
