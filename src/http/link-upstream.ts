// Exchanges over the link to one process: channels, their credit and their ends. Who asks gets its part of
// the link as a Channel; what comes back goes to the channel's owner. (docs/ARCHITECTURE.md, section 2)

import { CREDIT_WINDOW_BYTES } from '../base/limits.ts';
import { assert } from '../base/assert.ts';
import type { AnswerMeta } from '../wire/cache-messages.ts';
import type { FrameWriter } from '../wire/frame.ts';
import {
  decodeJson, encodeEnd, encodeRequest, LINK, RESET_REASON, type LinkRequest, type Origin,
} from '../wire/link-messages.ts';

/** Credit is given back in portions of at least this many bytes. */
const CREDIT_PORTION_BYTES = CREDIT_WINDOW_BYTES / 2;

/** A process that leaves this much unread gets no further request until it reads. */
const UNREAD_BYTES_MAX = 16_777_216;

export type ChannelState =
  | 'idle' // No exchange; the next request may go out.
  | 'busy' // A request is out and its END has not come.
  | 'tunnel' // Raw bytes both ways.
  | 'gone'; // Final. Frames that still come are dropped.

export type ChannelEvent = 'request' | 'app-ended' | 'upgraded' | 'gone';

/** The only place where a channel changes. @throws AssertionFailure for an event that cannot happen. */
export function stepChannel(state: ChannelState, event: ChannelEvent): ChannelState {
  if (event === 'gone' || state === 'gone') return 'gone';
  switch (event) {
    case 'request':
      assert(state === 'idle', 'exchanges of a channel follow each other');
      return 'busy';
    case 'upgraded':
      assert(state === 'busy', 'only an answer opens a tunnel');
      return 'tunnel';
    case 'app-ended':
      return state === 'busy' ? 'idle' : state;
  }
}

/** What an exchange hears of its channel. */
export interface ChannelOwner {
  /** `buffer[start..end)` is as the app wrote it: give `consumed` back for each byte. Lent: see lent-reads.ts. */
  channelData(buffer: Buffer, start: number, end: number): void;
  /** The app sends no more in this exchange, or in its half of the tunnel. */
  channelEnded(): void;
  /** The app wants the client connection closed behind what it sent. */
  channelClosed(): void;
  /** The exchange is over before its end; the channel is gone. `reason` is a RESET_REASON. */
  channelReset(reason: number): void;
  /** The process is gone, the channel with it. */
  channelLost(): void;
  /** All that waited for credit is out. */
  channelWritable(): void;
  /** What the program says beside the answer that follows. */
  channelMeta?(meta: AnswerMeta): void;
}

/** What a link tells the group that it serves. */
export interface LinkObserver {
  /** An exchange is over: there may be room for another, or the process may be drained. */
  exchangeOver(link: LinkUpstream): void;
}

const NO_TRAILERS: readonly string[] = [];
const NOTHING: Buffer[] = [];

/** One client connection on one link. */
export class Channel {
  readonly link: LinkUpstream;
  readonly id: number;
  #owner: ChannelOwner;
  #state: ChannelState = 'idle';
  #isOpen = false;
  /** Bytes that may be sent. */
  #credit = CREDIT_WINDOW_BYTES;
  /** Bytes that the app may send. */
  #appCredit = CREDIT_WINDOW_BYTES;
  /** Bytes taken off the wire for which no credit was given back yet. */
  #owed = 0;
  /** What waits for credit, in order, and the end behind it. */
  #waiting = NOTHING;
  #waitingEnd: readonly string[] | null = null;

  constructor(link: LinkUpstream, id: number, owner: ChannelOwner) {
    this.link = link;
    this.id = id;
    this.#owner = owner;
  }

  get state(): ChannelState {
    return this.#state;
  }

  /** Bytes wait for credit: give no more until `channelWritable`. */
  get isFull(): boolean {
    return this.#waiting.length > 0;
  }

  /** Sends a request. `origin` goes with the first one. */
  request(request: LinkRequest, origin: Origin): void {
    this.#step('request');
    if (this.#isOpen) {
      encodeRequest(this.link.writer, this.id, request);
      return;
    }
    this.#isOpen = true;
    encodeRequest(this.link.writer, this.id, { ...request, origin });
  }

  /** Sends body bytes, or keeps them until there is credit. The slice is the channel's from now on, or shared. */
  data(slice: Buffer, isShared = false): void {
    if (this.#state !== 'busy' && this.#state !== 'tunnel') return;
    if (this.#waiting.length > 0) this.#wait(slice, isShared);
    else this.#send(slice, isShared);
  }

  /** Ends the body, behind what waits. */
  end(trailers: readonly string[] = NO_TRAILERS): void {
    if (this.#state !== 'busy' && this.#state !== 'tunnel') return;
    if (this.#waiting.length > 0) this.#waitingEnd = trailers;
    else encodeEnd(this.link.writer, this.id, trailers);
  }

  /** That many bytes of `channelData` are off our hands. */
  consumed(bytes: number): void {
    this.#owed += bytes;
    if (this.#owed < CREDIT_PORTION_BYTES || this.#state === 'gone') return;
    this.link.writer.number(LINK.CREDIT, this.id, this.#owed);
    this.#appCredit += this.#owed;
    this.#owed = 0;
  }

  /** What follows is no HTTP any more. */
  upgrade(): void {
    this.#step('upgraded');
  }

  /** The client connection is gone, or this process is not to hear of it any more. */
  close(reason: number = RESET_REASON.CLIENT_GONE): void {
    if (this.#state === 'gone') return;
    if (this.#state === 'busy') this.link.writer.number(LINK.RESET, this.id, reason);
    else this.link.writer.empty(LINK.CLOSE, this.id);
    this.#leave();
  }

  /** A DATA frame came. */
  onData(buffer: Buffer, start: number, end: number): void {
    this.#appCredit -= end - start;
    if (this.#appCredit < 0) {
      this.link.writer.number(LINK.RESET, this.id, RESET_REASON.LIMIT);
      this.onReset(RESET_REASON.LIMIT);
    } else if (this.#state === 'idle') {
      // Behind its END: nobody waits for it, but the credit is conserved.
      this.consumed(end - start);
    } else {
      this.#owner.channelData(buffer, start, end);
    }
  }

  /** An END frame came. */
  onEnd(): void {
    if (this.#state === 'idle') return;
    const wasBusy = this.#state === 'busy';
    if (wasBusy) {
      // The app has answered: what is left of the request is of no use to it.
      this.#waiting = NOTHING;
      this.#waitingEnd = null;
    }
    this.#step('app-ended');
    this.#owner.channelEnded();
  }

  /** A CREDIT frame came. */
  onCredit(bytes: number): void {
    // Conserved: a process that gives more than it took would make us keep for it what it does not read.
    this.#credit = Math.min(CREDIT_WINDOW_BYTES, this.#credit + bytes);
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = NOTHING;
    for (const slice of waiting) this.data(slice);
    if (this.#waiting.length > 0) return;
    if (this.#waitingEnd !== null) {
      encodeEnd(this.link.writer, this.id, this.#waitingEnd);
      this.#waitingEnd = null;
    }
    this.#owner.channelWritable();
  }

  /** A META frame came. */
  onMeta(meta: AnswerMeta): void {
    if (this.#state === 'busy') this.#owner.channelMeta?.(meta);
  }

  /** A RESET frame came. */
  onReset(reason: number): void {
    this.#leave();
    this.#owner.channelReset(reason);
  }

  /** A CLOSE frame came. */
  onClose(): void {
    this.#owner.channelClosed();
  }

  /** The link broke. */
  onLost(): void {
    this.#leave();
    this.#owner.channelLost();
  }

  #wait(slice: Buffer, isShared: boolean): void {
    const owned = isShared ? Buffer.from(slice) : slice;
    if (this.#waiting === NOTHING) this.#waiting = [owned];
    else this.#waiting.push(owned);
  }

  #send(slice: Buffer, isShared: boolean): void {
    const bytes = Math.min(slice.length, this.#credit);
    const piece = bytes < slice.length ? slice.subarray(0, bytes) : slice;
    if (bytes > 0 && isShared) this.link.writer.streamCopy(LINK.DATA, this.id, piece);
    else if (bytes > 0) this.link.writer.stream(LINK.DATA, this.id, piece);
    this.#credit -= bytes;
    if (bytes < slice.length) this.#wait(slice.subarray(bytes), isShared);
  }

  #leave(): void {
    this.#waiting = NOTHING;
    this.#waitingEnd = null;
    this.link.forget(this);
    this.#step('gone');
  }

  #step(event: ChannelEvent): void {
    const before = this.#state;
    this.#state = stepChannel(before, event);
    if (before !== this.#state) this.link.channelMoved(before, this.#state);
  }
}

/** The front's end of the link to one process that has said HELLO. */
export class LinkUpstream {
  /** Its connections are those of clients: what it closes is closed. */
  readonly isHop = false;
  readonly writer: FrameWriter;
  /** Exchanges under way, tunnels not counted: those may be many and last for days. */
  active = 0;
  tunnels = 0;
  /** Exchanges so far. */
  served = 0;
  /** The process wants, or shall get, nothing new. */
  isRetired = false;
  /** The process stands still: requests that it was given would wait in it. */
  isHeld = false;
  /** Names the process to the host. */
  processId: string | null = null;
  #observer: LinkObserver;
  #unreadBytes: () => number;
  #drop: () => void;
  #channels = new Map<number, Channel>();
  #nextChannel = 1;
  #isLost = false;

  /** `unreadBytes` tells how much was written that the process has not read; `drop` hangs up. */
  constructor(options: {
    writer: FrameWriter;
    observer: LinkObserver;
    unreadBytes: () => number;
    drop: () => void;
  }) {
    this.writer = options.writer;
    this.#drop = options.drop;
    this.#observer = options.observer;
    this.#unreadBytes = options.unreadBytes;
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  /** True while it may get another request. */
  hasRoom(concurrencyMax: number): boolean {
    if (this.active >= concurrencyMax || this.isRetired || this.isHeld || this.#isLost) return false;
    return this.#unreadBytes() < UNREAD_BYTES_MAX;
  }

  /** A new channel. */
  open(owner: ChannelOwner): Channel {
    assert(!this.#isLost, 'a lost link gets no request');
    // Numbers come around after 2^32 channels; 0 is the link itself.
    while (this.#nextChannel === 0 || this.#channels.has(this.#nextChannel)) {
      this.#nextChannel = (this.#nextChannel + 1) >>> 0;
    }
    const channel = new Channel(this, this.#nextChannel, owner);
    this.#nextChannel = (this.#nextChannel + 1) >>> 0;
    this.#channels.set(channel.id, channel);
    return channel;
  }

  /** Takes a frame of a channel. Those of channels that are gone crossed our RESET or CLOSE: dropped. */
  onFrame(type: number, channelId: number, buffer: Buffer, start: number, end: number): void {
    const channel = this.#channels.get(channelId);
    if (channel === undefined) return;
    switch (type) {
      case LINK.DATA:
        channel.onData(buffer, start, end);
        break;
      case LINK.LAST:
        channel.onData(buffer, start, end);
        // What it held may have been too much.
        if (channel.state !== 'gone') channel.onEnd();
        break;
      case LINK.END:
        channel.onEnd();
        break;
      case LINK.CREDIT:
        if (end - start === 4) channel.onCredit(buffer.readUInt32BE(start));
        break;
      case LINK.META:
        channel.onMeta(decodeJson<AnswerMeta>(buffer, start, end));
        break;
      case LINK.RESET:
        channel.onReset(end - start === 4 ? buffer.readUInt32BE(start) : RESET_REASON.APP_ABORTED);
        break;
      case LINK.CLOSE:
        channel.onClose();
        break;
    }
  }

  /** The link broke, or nobody wants it any more: every exchange on it fails. */
  lose(): void {
    if (this.#isLost) return;
    this.#isLost = true;
    this.writer.close();
    this.#drop();
    for (const channel of [...this.#channels.values()]) channel.onLost();
  }

  /** Called by a channel that is gone. */
  forget(channel: Channel): void {
    this.#channels.delete(channel.id);
  }

  /** Called by a channel at each change. */
  channelMoved(before: ChannelState, after: ChannelState): void {
    if (before === 'busy') this.active -= 1;
    if (before === 'tunnel') this.tunnels -= 1;
    if (after === 'busy') {
      this.active += 1;
      this.served += 1;
    }
    if (after === 'tunnel') this.tunnels += 1;
    if (before === 'busy' || before === 'tunnel') this.#observer.exchangeOver(this);
  }
}
