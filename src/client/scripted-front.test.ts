// A front for tests: speaks the link's frames over a Unix socket and lets a test say what a client does.
// Credit is given back at once unless a channel is told to be slow. Holds no test of its own.

import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CREDIT_WINDOW_BYTES } from '../base/limits.ts';
import { FrameReader, FrameWriter } from '../wire/frame.ts';
import { LINK, decodeJson, encodeEnd, encodeRequest } from '../wire/link-messages.ts';
import type { Hello, LinkRequest, Origin, Registration } from '../wire/link-messages.ts';

const FRAME_BYTES = 65_536;

export const ORIGIN: Origin = {
  remoteAddress: '203.0.113.7',
  remotePort: 50_123,
  localAddress: '192.0.2.1',
  localPort: 8080,
  encrypted: false,
};

const GET: LinkRequest = {
  version: 11,
  method: 'GET',
  target: '/',
  fields: ['Host', 'app.test'],
  ended: true,
  upgrade: false,
  local: false,
};

/** A response, taken apart. */
export interface Answer {
  status: number;
  statusLine: string;
  /** Lower-case names; values of the same name joined with ", ". */
  fields: Record<string, string>;
  body: string;
  trailers: string;
  /** Heads of 1xx answers before it. */
  interim: string[];
}

/** One client connection, as the process sees it. */
export class FrontChannel {
  readonly id: number;
  /** Bytes since the last answer was read. */
  received: Buffer[] = [];
  receivedBytes = 0;
  ends = 0;
  closes = 0;
  resets: number[] = [];
  creditGiven = 0;
  isSlow = false;
  #owed = 0;
  #credit = CREDIT_WINDOW_BYTES;
  #link: FrontLink;
  #isOpen = false;
  #endsRead = 0;
  #waiters = new Set<() => void>();

  constructor(link: FrontLink, id: number) {
    this.#link = link;
    this.id = id;
  }

  request(request: Partial<LinkRequest> = {}, origin: Partial<Origin> = {}): this {
    const whole: LinkRequest = { ...GET, ...request };
    if (!this.#isOpen) whole.origin = { ...ORIGIN, ...origin };
    this.#isOpen = true;
    encodeRequest(this.#link.writer, this.id, whole);
    return this;
  }

  /** Sends body or tunnel bytes as the app gives credit. Stops when the channel ends. */
  async send(bytes: Buffer): Promise<void> {
    let start = 0;
    while (start < bytes.length) {
      await this.until(() => this.#credit > 0 || this.isOver);
      if (this.isOver) return;
      const end = Math.min(bytes.length, start + this.#credit, start + FRAME_BYTES);
      this.#credit -= end - start;
      this.#link.writer.bytes(LINK.DATA, this.id, bytes.subarray(start, end));
      start = end;
    }
  }

  end(trailers: string[] = []): void {
    encodeEnd(this.#link.writer, this.id, trailers);
  }

  close(): void {
    this.#link.writer.empty(LINK.CLOSE, this.id);
  }

  /** Lets the app send `bytes` more. */
  giveCredit(bytes: number): void {
    this.#link.writer.number(LINK.CREDIT, this.id, bytes);
  }

  get isOver(): boolean {
    return this.closes > 0 || this.resets.length > 0;
  }

  get text(): string {
    return Buffer.concat(this.received).toString('latin1');
  }

  /** Resolves when the condition holds; looks again at each frame of the channel. */
  async until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) await new Promise<void>((resolve) => this.#waiters.add(resolve));
  }

  /** The answer to the next exchange, at its END. */
  async answer(): Promise<Answer> {
    this.#endsRead += 1;
    await this.until(() => this.ends >= this.#endsRead || this.isOver);
    const text = this.text;
    this.received = [];
    return parseAnswer(text);
  }

  take(type: number, payload: Buffer): void {
    if (type === LINK.DATA) this.#takeData(payload);
    else if (type === LINK.END) this.ends += 1;
    else if (type === LINK.LAST) {
      this.#takeData(payload);
      this.ends += 1;
    }
    else if (type === LINK.CLOSE) this.closes += 1;
    else if (type === LINK.RESET) this.resets.push(payload.readUInt32BE(0));
    else if (type === LINK.CREDIT) {
      this.#credit += payload.readUInt32BE(0);
      this.creditGiven += payload.readUInt32BE(0);
    }
    this.wake();
  }

  wake(): void {
    for (const waiter of this.#waiters) waiter();
    this.#waiters.clear();
  }

  #takeData(payload: Buffer): void {
    this.received.push(Buffer.from(payload));
    this.receivedBytes += payload.length;
    if (this.isSlow) return;
    this.#owed += payload.length;
    if (this.#owed < CREDIT_WINDOW_BYTES / 2) return;
    this.giveCredit(this.#owed);
    this.#owed = 0;
  }
}

/** The link to one process. */
export class FrontLink {
  readonly writer: FrameWriter;
  readonly socket: net.Socket;
  hello: Hello | null = null;
  registrations: Registration[] = [];
  unregistered: number[] = [];
  pongs = 0;
  #channels = new Map<number, FrontChannel>();
  #nextChannel = 1;
  #onChange: () => void;

  constructor(socket: net.Socket, onChange: () => void) {
    this.socket = socket;
    this.writer = new FrameWriter(socket);
    this.#onChange = onChange;
    const reader = new FrameReader((type, channel, buffer, start, end) =>
      this.#take(type, channel, buffer.subarray(start, end)),
    );
    socket.on('data', (chunk) => reader.push(chunk));
    socket.on('error', () => socket.destroy());
  }

  open(): FrontChannel {
    const channel = new FrontChannel(this, this.#nextChannel++);
    this.#channels.set(channel.id, channel);
    return channel;
  }

  #take(type: number, id: number, payload: Buffer): void {
    if (id !== 0) {
      this.#channels.get(id)?.take(type, payload);
      return;
    }
    if (type === LINK.HELLO) {
      this.hello = decodeJson<Hello>(payload, 0, payload.length);
      this.writer.json(LINK.WELCOME, 0, { version: 1, frontPid: process.pid });
    } else if (type === LINK.REGISTER) {
      const registration = decodeJson<Registration>(payload, 0, payload.length);
      this.registrations.push(registration);
      this.writer.json(LINK.REGISTERED, 0, { id: registration.id });
    } else if (type === LINK.UNREGISTER) {
      this.unregistered.push(decodeJson<{ id: number }>(payload, 0, payload.length).id);
    } else if (type === LINK.PONG) {
      this.pongs += 1;
    }
    this.#onChange();
  }
}

/** See the head of the file. */
export class ScriptedFront {
  readonly folder: string;
  links: FrontLink[] = [];
  #server: net.Server | null = null;
  #waiters = new Set<() => void>();

  constructor(folder: string) {
    this.folder = folder;
  }

  static async start(): Promise<ScriptedFront> {
    const front = new ScriptedFront(await mkdtemp(join(tmpdir(), 'slipstream-client-')));
    await front.listen();
    return front;
  }

  get path(): string {
    return join(this.folder, 'front.sock');
  }

  /** The newest link. */
  get link(): FrontLink {
    return this.links.at(-1)!;
  }

  async listen(): Promise<void> {
    const server = net.createServer((socket) => {
      this.links.push(new FrontLink(socket, () => this.#wake()));
      this.#wake();
    });
    this.#server = server;
    server.listen(this.path);
    await once(server, 'listening');
  }

  /** What a killed front does: everything ends at once. */
  async kill(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    for (const link of this.links) link.socket.destroy();
    if (server === null) return;
    server.close();
    await once(server, 'close');
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }

  async until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) await new Promise<void>((resolve) => this.#waiters.add(resolve));
  }

  /** Resolves to the newest link when a server is registered on it. */
  async registered(): Promise<FrontLink> {
    await this.until(() => (this.links.at(-1)?.registrations.length ?? 0) > 0);
    return this.link;
  }

  #wake(): void {
    for (const waiter of this.#waiters) waiter();
    this.#waiters.clear();
  }
}

function parseAnswer(text: string): Answer {
  const interim: string[] = [];
  let rest = text;
  for (;;) {
    const end = rest.indexOf('\r\n\r\n');
    const head = rest.slice(0, end === -1 ? rest.length : end);
    rest = end === -1 ? '' : rest.slice(end + 4);
    const [statusLine = '', ...lines] = head.split('\r\n');
    const status = Number(statusLine.split(' ')[1]);
    if (status >= 100 && status < 200 && status !== 101) {
      interim.push(head);
      continue;
    }
    const fields: Record<string, string> = {};
    for (const line of lines) {
      const colon = line.indexOf(':');
      const name = line.slice(0, colon).toLowerCase();
      const value = line.slice(colon + 1).trim();
      fields[name] = fields[name] === undefined ? value : `${fields[name]}, ${value}`;
    }
    const isChunked = fields['transfer-encoding'] === 'chunked';
    const { body, trailers } = isChunked ? unchunk(rest) : { body: rest, trailers: '' };
    return { status, statusLine, fields, body, trailers, interim };
  }
}

function unchunk(text: string): { body: string; trailers: string } {
  let body = '';
  let at = 0;
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at);
    const size = Number.parseInt(text.slice(at, lineEnd), 16);
    if (!(size > 0)) return { body, trailers: text.slice(lineEnd + 2, -2) };
    body += text.slice(lineEnd + 2, lineEnd + 2 + size);
    at = lineEnd + 2 + size + 2;
  }
}
