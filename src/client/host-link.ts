// The links of this process to its fronts: dials, says who it is, tells every front what listens, hands the
// frames of channels on and dials again when a front goes. Without any front for the grace time the process
// is told to end. Frames are cut first and acted on afterwards, so an exception of the app's code passes
// through here as if node had called it, and the frames behind it are not lost.

import net from 'node:net';
import { messageOf } from '../base/host-error.ts';
import { FrameReader, FrameWriter } from '../wire/frame.ts';
import { LINK, LINK_VERSION, decodeEnd, decodeJson, decodeRequest, partType } from '../wire/link-messages.ts';
import { RESET_REASON } from '../wire/link-messages.ts';
import type { Hello, LinkRequest, Origin, Purging, Refusal, Registration } from '../wire/link-messages.ts';
import type { PurgeLink } from './cache-purge.ts';
import type { ExchangeLink, WriteCallback } from './channel-writer.ts';
import { dialDelayMs, stepLink } from './link-state.ts';
import type { LinkEffect, LinkEvent, LinkState } from './link-state.ts';

/** Who acts on the frames of channels. */
export interface ChannelFrames<Channel extends object> {
  /** The first request of a channel came. Null: nothing here serves it. */
  open(link: ExchangeLink, id: number, origin: Origin): Channel | null;
  request(channel: Channel, request: LinkRequest): void;
  data(channel: Channel, bytes: Buffer): void;
  end(channel: Channel, trailers: string[]): void;
  credit(channel: Channel, bytes: number): void;
  /** CLOSE or RESET came, or the link is lost. */
  gone(channel: Channel): void;
}

export interface FrontLinksOptions<Channel extends object> {
  /** Socket paths of the fronts. */
  paths: readonly string[];
  /** Proves which hosted process this is. */
  key?: string;
  /** The app's name. */
  title?: string;
  /** How long the process lives without any front, in ms. */
  graceMs(): number;
  frames: ChannelFrames<Channel>;
  /** A front took this process: told each time, before the registrations are sent again. */
  onWelcome?: (link: PurgeLink) => void;
  /** A front has purged, or cannot. */
  onPurged?: (answer: { id: number; isValid: boolean }, link: PurgeLink) => void;
  /** The last channel of a link is over. */
  onIdle?: () => void;
  /** No front was reachable for the grace time. `reason` is the last failure. */
  onAbandoned: (reason: string, graceMs: number) => void;
}

/** How long a front may take to answer HELLO, in ms. */
const WELCOME_TIMEOUT_MS = 1000;
/** Small pieces are copied: they would keep the whole chunk that they came in. */
const COPIED_PIECE_BYTES_MAX = 4096;

interface Frame {
  type: number;
  channel: number;
  buffer: Buffer;
  start: number;
  end: number;
}

/** All links of the process, and what is registered on them. */
export class FrontLinks<Channel extends object> {
  readonly options: FrontLinksOptions<Channel>;
  readonly registrations = new Map<number, Registration>();
  #links: HostLink<Channel>[];
  #refusals = new Map<number, (refusal: Refusal) => void>();
  #nextId = 1;
  #isReferenced = false;

  constructor(options: FrontLinksOptions<Channel>) {
    this.options = options;
    this.#links = options.paths.map((path) => new HostLink(this, path));
  }

  start(): void {
    for (const link of this.#links) link.start();
  }

  /** Ends all links; nothing is dialled any more. */
  stop(): void {
    for (const link of this.#links) link.stop();
  }

  /** Tells every front, now and after each loss, that a server listens. Returns its id. */
  register(prefixes: string[], onRefused: (refusal: Refusal) => void): number {
    const registration: Registration = { id: this.#nextId++, prefixes };
    this.registrations.set(registration.id, registration);
    this.#refusals.set(registration.id, onRefused);
    for (const link of this.#links) link.sendRegistration(registration);
    return registration.id;
  }

  unregister(id: number): void {
    this.registrations.delete(id);
    this.#refusals.delete(id);
    for (const link of this.#links) link.sendUnregistration(id);
  }

  /** To each front, linked or not. */
  get purgeLinks(): readonly PurgeLink[] {
    return this.#links;
  }

  refused(refusal: Refusal): void {
    this.#refusals.get(refusal.id ?? 0)?.(refusal);
  }

  /** Whether a listening server keeps the process alive. */
  setReferenced(isReferenced: boolean): void {
    this.#isReferenced = isReferenced;
    for (const link of this.#links) link.updateReference();
  }

  get isReferenced(): boolean {
    return this.#isReferenced;
  }

  /** Exchanges and connections that came over the links. */
  get channels(): number {
    return this.#links.reduce((sum, link) => sum + link.channels, 0);
  }

  /** A dial failed: is this the end? */
  away(reason: string): void {
    const graceMs = this.options.graceMs();
    if (this.#links.every((link) => link.awayMs >= graceMs)) this.options.onAbandoned(reason, graceMs);
  }

  /** Writes out what was collected: for the last moment of the process. */
  flush(): void {
    for (const link of this.#links) link.flush();
  }
}

/** One link to one front. */
class HostLink<Channel extends object> implements ExchangeLink, PurgeLink {
  writer: FrameWriter;
  #owner: FrontLinks<Channel>;
  #path: string;
  #state: LinkState = { kind: 'dialing', attempt: 0, awayMs: 0 };
  #socket: net.Socket | null = null;
  #reader: FrameReader;
  #timer: NodeJS.Timeout | null = null;
  #failedAtMs = performance.now();
  #channels = new Map<number, Channel>();
  /** Frames that were cut and not acted on. */
  #frames: Frame[] = [];
  /** Each was given to the writer, too, as `#reportOne`. */
  #written: WriteCallback[] = [];
  #reportOne: WriteCallback = () => {};

  constructor(owner: FrontLinks<Channel>, path: string) {
    this.#owner = owner;
    this.#path = path;
    this.#reader = this.#newReader();
    this.writer = closedWriter();
  }

  get channels(): number {
    return this.#channels.size;
  }

  get awayMs(): number {
    return this.#state.kind === 'dialing' ? this.#state.awayMs : 0;
  }

  start(): void {
    this.#perform('dial', '');
  }

  stop(): void {
    this.#step({ kind: 'stopped' }, 'stopped');
  }

  // The life of the link.

  #step(event: LinkEvent, reason: string): void {
    const [state, effects] = stepLink(this.#state, event);
    this.#state = state;
    for (const effect of effects) this.#perform(effect, reason);
  }

  #perform(effect: LinkEffect, reason: string): void {
    switch (effect) {
      case 'dial':
        if (this.#state.kind !== 'dialing') return;
        this.#setTimer(dialDelayMs(this.#state.attempt), () => this.#dial());
        break;
      case 'register':
        this.#clearTimer();
        this.#owner.options.onWelcome?.(this);
        for (const registration of this.#owner.registrations.values()) {
          this.sendRegistration(registration);
        }
        break;
      case 'hang-up':
        this.#clearTimer();
        this.#hangUp(reason);
        break;
      case 'drop-channels':
        this.#dropChannels();
        break;
      case 'away':
        this.#owner.away(reason);
        break;
    }
  }

  #dial(): void {
    const socket = net.connect(this.#path);
    const writer = new FrameWriter(socket);
    this.#socket = socket;
    this.writer = writer;
    // They come in the order of the calls; of a former link none counts.
    this.#reportOne = (error) => {
      if (this.#socket === socket) process.nextTick(this.#written.shift()!, error ?? null);
    };
    this.#reader = this.#newReader();
    this.updateReference();
    const { key, title } = this.#owner.options;
    const hello: Hello = { version: LINK_VERSION, pid: process.pid };
    if (key !== undefined) hello.key = key;
    if (title !== undefined) hello.title = title;
    let reason = 'the front closed the link';
    socket.on('connect', () => writer.json(LINK.HELLO, 0, hello));
    socket.on('data', (chunk) => {
      if (this.#socket === socket) this.#receive(chunk);
    });
    socket.on('error', (error) => (reason = messageOf(error)));
    socket.on('close', () => {
      if (this.#socket === socket) this.#fail(reason);
    });
    this.#setTimer(WELCOME_TIMEOUT_MS, () => this.#fail('the front does not answer'));
  }

  /** The dial came to nothing, or the open link broke. */
  #fail(reason: string): void {
    const nowMs = performance.now();
    const elapsedMs = nowMs - this.#failedAtMs;
    this.#failedAtMs = nowMs;
    const isOpen = this.#state.kind === 'open';
    this.#step(isOpen ? { kind: 'lost' } : { kind: 'failed', elapsedMs }, reason);
  }

  #hangUp(reason: string): void {
    const socket = this.#socket;
    this.#socket = null;
    this.#frames.length = 0;
    this.writer.close();
    socket?.destroy();
    const error = new Error(`the link to the front is lost: ${reason}`);
    for (const callback of this.#written.splice(0)) process.nextTick(callback, error);
  }

  #dropChannels(): void {
    const channels = [...this.#channels.values()];
    this.#channels.clear();
    for (const channel of channels) this.#owner.options.frames.gone(channel);
    this.updateReference();
  }

  #setTimer(delayMs: number, callback: () => void): void {
    this.#clearTimer();
    this.#timer = setTimeout(callback, delayMs);
    this.updateReference();
  }

  #clearTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** A listening server or an exchange keeps the process alive, a mere link does not. */
  updateReference(): void {
    const isReferenced = this.#owner.isReferenced || this.#channels.size > 0;
    if (isReferenced) {
      this.#socket?.ref();
      this.#timer?.ref();
    } else {
      this.#socket?.unref();
      this.#timer?.unref();
    }
  }

  // Frames out.

  sendRegistration(registration: Registration): void {
    if (this.#state.kind === 'open') this.writer.json(LINK.REGISTER, 0, registration);
  }

  sendUnregistration(id: number): void {
    if (this.#state.kind === 'open') this.writer.json(LINK.UNREGISTER, 0, { id });
  }

  sendPurge(purging: Purging): void {
    if (this.#state.kind === 'open') this.writer.json(LINK.PURGE, 0, purging);
  }

  flush(): void {
    this.writer.flush();
  }

  afterWrite(callback: WriteCallback): void {
    if (this.#socket === null) {
      process.nextTick(callback, new Error('there is no link to the front'));
      return;
    }
    this.#written.push(callback);
    this.writer.afterWrite(this.#reportOne);
  }

  release(channel: number): void {
    if (!this.#channels.delete(channel) || this.#channels.size > 0) return;
    this.updateReference();
    this.#owner.options.onIdle?.();
  }

  // Frames in.

  #newReader(): FrameReader {
    return new FrameReader((type, channel, buffer, start, end) => {
      this.#frames.push({ type, channel, buffer, start, end });
    }, partType);
  }

  #receive(chunk: Buffer): void {
    try {
      this.#reader.push(chunk);
    } catch (error) {
      this.#fail(messageOf(error));
      return;
    }
    this.#act();
  }

  readonly #act = (): void => {
    const frames = this.#frames;
    let index = 0;
    try {
      while (index < frames.length) this.#frame(frames[index++]!);
    } finally {
      // The app's code threw: the rest has its turn when the exception has been dealt with.
      if (index < frames.length) {
        frames.splice(0, index);
        setImmediate(this.#act);
      } else {
        frames.length = 0;
      }
    }
  };

  #frame(frame: Frame): void {
    const { type, channel: id, buffer, start, end } = frame;
    if (id === 0) {
      this.#control(type, buffer, start, end);
      return;
    }
    const { frames } = this.#owner.options;
    if (type === LINK.REQUEST) {
      this.#request(id, decodeRequest(buffer, start, end));
      return;
    }
    const channel = this.#channels.get(id);
    if (channel === undefined) return; // Our CLOSE or RESET is on its way.
    switch (type) {
      case LINK.DATA:
        frames.data(channel, pieceOf(buffer, start, end));
        break;
      case LINK.END:
        frames.end(channel, decodeEnd(buffer, start, end));
        break;
      case LINK.CREDIT:
        frames.credit(channel, buffer.readUInt32BE(start));
        break;
      case LINK.CLOSE:
      case LINK.RESET:
        this.release(id);
        frames.gone(channel);
        break;
    }
  }

  #request(id: number, request: LinkRequest): void {
    const { frames } = this.#owner.options;
    const channel = this.#channels.get(id) ?? this.#open(id, request.origin);
    if (channel === null) this.writer.number(LINK.RESET, id, RESET_REASON.NO_SERVER);
    else frames.request(channel, request);
  }

  #open(id: number, origin: Origin | undefined): Channel | null {
    const channel = origin && this.#owner.options.frames.open(this, id, origin);
    if (!channel) return null;
    this.#channels.set(id, channel);
    if (this.#channels.size === 1) this.updateReference();
    return channel;
  }

  #control(type: number, buffer: Buffer, start: number, end: number): void {
    switch (type) {
      case LINK.WELCOME:
        if (this.#state.kind === 'dialing') this.#step({ kind: 'welcomed' }, '');
        break;
      case LINK.REFUSED: {
        const refusal = decodeJson<Refusal>(buffer, start, end);
        if (refusal.id !== undefined) this.#owner.refused(refusal);
        else if (this.#state.kind === 'dialing') this.#fail(refusal.message);
        break;
      }
      case LINK.PURGED:
        this.#owner.options.onPurged?.(decodeJson<{ id: number; isValid: boolean }>(buffer, start, end), this);
        break;
      case LINK.PING:
        this.writer.empty(LINK.PONG, 0);
        break;
    }
  }
}

function pieceOf(buffer: Buffer, start: number, end: number): Buffer {
  const piece = buffer.subarray(start, end);
  return piece.length <= COPIED_PIECE_BYTES_MAX ? Buffer.from(piece) : piece;
}

/** Stands in between two links: takes frames and drops them. */
function closedWriter(): FrameWriter {
  const writer = new FrameWriter({ cork: () => {}, uncork: () => {}, write: () => true });
  writer.close();
  return writer;
}
