// The server's half of wire/poll-messages.ts: viewers, their numbered queues, polls that are held, and
// viewers that stay away. Knows nothing of CDP: messages are texts of JSON that go through unread.
// Bounds: viewers, bytes that wait for a viewer, size of a send. A lost answer costs nothing: messages
// are kept until the next poll acknowledges them.

import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock, Timer } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { BatchAnswer } from './batch-answer.ts';
import type { ViewerSocket, ViewerSocketEvents } from './viewer-socket.ts';
import { POLL_BYTES_MAX, POLL_HOLD_MS, VIEWER_AWAY_MS, type PollError } from '../wire/poll-messages.ts';
import {
  invalid,
  parseArray,
  readBody,
  SEND_BYTES_MAX,
  sendError,
  sendJson,
  sendNothing,
  sendWrongMethod,
  wholeNumber,
} from './poll-answer.ts';

/** Most viewers of one session. */
export const VIEWERS_MAX = 16;
/** A viewer for which more than this waits is dropped, in bytes (as UTF-16 units). */
export const BACKLOG_BYTES_MAX = 268_435_456;
/** The source is asked to pause above the first and may go on below the second, in the same unit. */
const PRESSURE_HIGH_BYTES = 8_388_608;
const PRESSURE_LOW_BYTES = 4_194_304;
/** A viewer that has neither polled nor taken any of an answer for so long slows nobody down, in ms. */
const STALLED_AFTER_MS = 5000;
/** Of so many viewers that are gone the reason is remembered. */
const DEPARTED_MAX = 64;

/** What the owner of the transport does with viewers. */
export interface ViewerEvents {
  /** One message of the viewer: exactly once, in order. */
  message(message: unknown): void;
  /** The viewer is gone, for good. */
  closed(reason: string): void;
}

/** What {@link PollTransport} needs. */
export interface PollTransportOptions {
  clock: Clock;
  log: Log;
  /** True: more waits for the viewers than they fetch, pause the source. False: go on. */
  pressure(isHigh: boolean): void;
}

/** One open page, from its POST until it closes, stays away or is dropped. */
export class Viewer {
  /** 192 random bits: knowing it is the right to use it. */
  readonly id: string = randomBytes(24).toString('base64url');
  #transport: ViewerHost;
  #events: ViewerEvents | null = null;
  /** Messages that are not acknowledged yet; the first has number `#first`. */
  #queue: string[] = [];
  #first = 0;
  #sentUpTo = 0;
  #backlogBytes = 0;
  #nextCommand = 0;
  #poll: { response: ServerResponse; timer: Timer } | null = null;
  /** The latest answer with messages; it may still be on its way. */
  #answer: BatchAnswer | null = null;
  /** In the place of polls, with the number of what is to be sent next. */
  #socket: { socket: ViewerSocket; next: number } | null = null;
  #isFlushDue = false;
  #away: Timer;
  #stall: Timer;
  #isStalled = false;
  /** Set when nothing comes any more: polls fetch what is left, then hear this. */
  #farewell: PollError | null = null;

  constructor(transport: ViewerHost) {
    this.#transport = transport;
    [this.#away, this.#stall] = this.#startAwayTimers();
  }

  /** The owner listens; called once, right after the viewer was made. */
  attach(events: ViewerEvents): void {
    this.#events = events;
  }

  /** Bytes that hold up the source: none for a viewer that does not fetch. */
  get pressingBytes(): number {
    return this.#isStalled ? 0 : this.#backlogBytes;
  }

  /** True while a poll is held or was lately. */
  get isPolling(): boolean {
    return this.#poll !== null || this.#socket !== null;
  }

  /** Queues a message (text of JSON). A viewer that lets too much wait is dropped. */
  send(text: string): void {
    if (this.#farewell !== null) return;
    this.#queue.push(text);
    this.#backlogBytes += text.length;
    if (this.#backlogBytes > BACKLOG_BYTES_MAX) {
      this.#transport.drop(this, `more than ${BACKLOG_BYTES_MAX} bytes waited for it`);
      return;
    }
    this.#transport.pressureChanged();
    this.#flushSoon();
  }

  /** No more messages: what is queued is still delivered, then polls hear `error`. */
  finish(error: PollError): void {
    this.#farewell = error;
    this.#flushSoon();
  }

  /** Ends timers and a held poll. Called by the transport only. */
  dispose(reason: string, error: PollError): void {
    const poll = this.#takePoll();
    if (poll !== null) sendError(poll, 410, error);
    this.#takeSocket();
    this.#answer?.abandon();
    this.#stopAwayTimers();
    this.#queue.length = 0;
    this.#backlogBytes = 0;
    this.#farewell = error;
    this.#events?.closed(reason);
    this.#events = null;
  }

  /** `GET poll?ack=<ack>`. */
  poll(ack: number, response: ServerResponse): void {
    if (ack < this.#first) {
      // A late duplicate; the one whose place it would take may be the one that counts.
      sendError(response, 409, invalid(`messages before ${this.#first} are gone`), { next: this.#first });
      return;
    }
    if (ack > this.#sentUpTo) {
      sendError(response, 400, invalid(`ack ${ack} is beyond the last message, ${this.#sentUpTo}`));
      return;
    }
    this.#forgetBefore(ack);
    this.#endHolds();
    const timer = this.#transport.clock.after(POLL_HOLD_MS, () => this.#answerPoll());
    const poll = { response, timer };
    this.#poll = poll;
    response.once('close', () => {
      if (this.#poll === poll) this.#takePoll();
    });
    if (this.#queue.length > 0 || this.#farewell !== null) this.#flushSoon();
  }

  /** `GET socket`: with its first acknowledgement it takes the place of polls, until it ends. */
  upgrade(open: (events: ViewerSocketEvents) => ViewerSocket): void {
    const socket = open({
      acknowledged: (ack) => {
        if (this.#socket?.socket !== socket) this.#adopt(socket, ack);
        else if (ack > this.#first && ack <= this.#sentUpTo) this.#forgetBefore(ack);
      },
      commands: (first, messages) => this.#take(first, messages),
      writable: () => this.#flushSoon(),
      closed: () => {
        if (this.#socket?.socket === socket) this.#takeSocket();
      },
    });
  }

  /** The viewer listens there now: had the poll ended before, the viewer would have polled again. */
  #adopt(socket: ViewerSocket, ack: number): void {
    if (ack < this.#first || ack > this.#sentUpTo || this.#farewell !== null) {
      socket.close();
      return;
    }
    this.#forgetBefore(ack);
    this.#endHolds();
    this.#socket = { socket, next: ack };
    this.#flushSoon();
  }

  /** A poll or a socket begins: others of this viewer are over, and it is not away. */
  #endHolds(): void {
    const earlier = this.#takePoll();
    if (earlier !== null) sendJson(earlier, 200, '[]');
    this.#answer?.abandon();
    this.#answer = null;
    this.#takeSocket();
    this.#stopAwayTimers();
  }

  /** Takes commands in; the number that comes next. A gap is left for the sender to fill. */
  #take(number: number, messages: readonly unknown[]): number {
    if (number <= this.#nextCommand && this.#farewell === null) {
      for (const message of messages.slice(this.#nextCommand - number)) {
        this.#nextCommand += 1;
        this.#events?.message(message);
      }
    }
    return this.#nextCommand;
  }

  /** `POST send?n=<number>`: messages from `number` on. */
  receive(number: number, messages: readonly unknown[], response: ServerResponse): void {
    if (this.#farewell !== null) {
      sendError(response, 410, this.#farewell);
      return;
    }
    if (number > this.#nextCommand) {
      const error = invalid(`command ${this.#nextCommand} comes next, not ${number}`);
      sendError(response, 409, error, { next: this.#nextCommand });
      return;
    }
    this.#take(number, messages);
    sendNothing(response);
  }

  #forgetBefore(ack: number): void {
    const count = ack - this.#first;
    if (count === 0) return;
    for (let index = 0; index < count; index++) this.#backlogBytes -= this.#queue[index]!.length;
    this.#queue.splice(0, count);
    this.#first = ack;
    this.#transport.pressureChanged();
  }

  /** Everything that comes in this turn travels together. */
  #flushSoon(): void {
    if (this.#isFlushDue || !this.isPolling) return;
    this.#isFlushDue = true;
    setImmediate(() => {
      this.#isFlushDue = false;
      this.#fillSocket();
      if (this.#queue.length > 0 || this.#farewell !== null) this.#answerPoll();
    });
  }

  #answerPoll(): void {
    const response = this.#takePoll();
    if (response === null) return;
    if (this.#queue.length === 0 && this.#farewell !== null) {
      sendError(response, 410, this.#farewell);
      this.#transport.drop(this, this.#farewell.message);
      return;
    }
    this.#answer = new BatchAnswer(response, this.#batchFrom(this.#first), () => {
      if (!this.isPolling) this.#restartAwayTimers();
    });
  }

  /** What goes together, from message `number` on. It counts as sent. */
  #batchFrom(number: number): string[] {
    const start = number - this.#first;
    let end = start;
    let size = 0;
    while (end < this.#queue.length) {
      size += this.#queue[end]!.length;
      if (end > start && size > POLL_BYTES_MAX) break;
      end += 1;
    }
    this.#sentUpTo = Math.max(this.#sentUpTo, this.#first + end);
    return this.#queue.slice(start, end);
  }

  #fillSocket(): void {
    const holder = this.#socket;
    if (holder === null || !holder.socket.hasRoom) return;
    const batch = this.#batchFrom(holder.next);
    // A poll hears why.
    if (batch.length === 0 && this.#farewell !== null) return this.#takeSocket();
    if (batch.length === 0) return;
    holder.socket.send(holder.next, batch);
    holder.next += batch.length;
  }

  /** From here on the viewer has no socket. */
  #takeSocket(): void {
    const holder = this.#socket;
    if (holder === null) return;
    this.#socket = null;
    holder.socket.close();
    this.#restartAwayTimers();
  }

  /** From here on the viewer has no poll. */
  #takePoll(): ServerResponse | null {
    const poll = this.#poll;
    if (poll === null) return null;
    this.#poll = null;
    poll.timer.stop();
    this.#restartAwayTimers();
    return poll.response;
  }

  #startAwayTimers(): [Timer, Timer] {
    const { clock } = this.#transport;
    const away = clock.after(VIEWER_AWAY_MS, () => {
      this.#transport.drop(this, `it has not polled for ${VIEWER_AWAY_MS} ms`);
    });
    const stall = clock.after(STALLED_AFTER_MS, () => {
      this.#isStalled = true;
      this.#transport.pressureChanged();
    });
    return [away, stall];
  }

  #restartAwayTimers(): void {
    this.#stopAwayTimers();
    [this.#away, this.#stall] = this.#startAwayTimers();
  }

  #stopAwayTimers(): void {
    this.#away.stop();
    this.#stall.stop();
    this.#isStalled = false;
  }
}

/** What a viewer needs of its transport. */
interface ViewerHost {
  clock: Clock;
  drop(viewer: Viewer, reason: string): void;
  pressureChanged(): void;
}

/** All viewers of one session. */
export class PollTransport {
  #options: PollTransportOptions;
  #viewers = new Map<string, Viewer>();
  #departed = new Map<string, string>();
  #isPressing = false;
  #host: ViewerHost;

  constructor(options: PollTransportOptions) {
    this.#options = options;
    this.#host = {
      clock: options.clock,
      drop: (viewer, reason) => this.#drop(viewer, reason),
      pressureChanged: () => this.#pressureChanged(),
    };
  }

  /** How many are open. */
  get count(): number {
    return this.#viewers.size;
  }

  /**
   * Starts a viewer, or null when there are too many. One that is away gives up its place. What `opened`
   * returns hears of the viewer from now on.
   */
  open(opened: (viewer: Viewer) => ViewerEvents): Viewer | null {
    if (this.#viewers.size >= VIEWERS_MAX) {
      const idle = [...this.#viewers.values()].find((viewer) => !viewer.isPolling);
      if (idle === undefined) return null;
      this.#drop(idle, `there are ${VIEWERS_MAX} viewers and it was not polling`);
    }
    const viewer = new Viewer(this.#host);
    this.#viewers.set(viewer.id, viewer);
    viewer.attach(opened(viewer));
    return viewer;
  }

  /** Serves `<viewer>/<verb>`; access has been checked. */
  handle(path: string, query: URLSearchParams, request: IncomingMessage, response: ServerResponse): void {
    const [id, verb, ...more] = path.split('/');
    const viewer = this.#viewers.get(id!);
    if (viewer === undefined) {
      const reason = this.#departed.get(id!);
      const message = reason === undefined ? 'no such viewer' : `the viewer was dropped: ${reason}`;
      sendError(response, 410, { code: 'VIEWER_UNKNOWN', message });
    } else if (more.length === 0 && verb === 'poll') {
      this.#poll(viewer, query, request, response);
    } else if (more.length === 0 && verb === 'send') {
      void this.#receive(viewer, query, request, response);
    } else if (more.length === 0 && verb === 'close') {
      if (request.method !== 'POST') return sendWrongMethod(response, 'POST');
      this.#drop(viewer, 'it closed');
      sendNothing(response);
    } else {
      sendError(response, 404, invalid('a viewer has only poll, send and close'));
    }
  }

  /** Whether this is the `<viewer>/socket` of a viewer; access has been checked. */
  mayUpgrade(path: string): boolean {
    const [id, verb, ...more] = path.split('/');
    return this.#viewers.has(id!) && verb === 'socket' && more.length === 0;
  }

  /** Serves `<viewer>/socket`. False: the viewer was dropped meanwhile. */
  upgrade(path: string, open: (events: ViewerSocketEvents) => ViewerSocket): boolean {
    const viewer = this.#viewers.get(path.split('/', 1)[0]!);
    viewer?.upgrade(open);
    return viewer !== undefined;
  }

  /** Drops the viewer with this id, if there is one. */
  drop(id: string, reason: string): void {
    const viewer = this.#viewers.get(id);
    if (viewer !== undefined) this.#drop(viewer, reason);
  }

  /** Nothing comes any more: every viewer fetches what is left and then hears `error`. */
  finish(error: PollError): void {
    for (const viewer of this.#viewers.values()) viewer.finish(error);
  }

  /** Drops everybody at once. */
  close(reason: string): void {
    for (const viewer of [...this.#viewers.values()]) this.#drop(viewer, reason);
  }

  #poll(viewer: Viewer, query: URLSearchParams, request: IncomingMessage, response: ServerResponse): void {
    if (request.method !== 'GET') return sendWrongMethod(response, 'GET');
    const ack = wholeNumber(query.get('ack'));
    if (ack === null) return sendError(response, 400, invalid('ack must be a whole number'));
    viewer.poll(ack, response);
  }

  async #receive(
    viewer: Viewer,
    query: URLSearchParams,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    if (request.method !== 'POST') return sendWrongMethod(response, 'POST');
    const number = wholeNumber(query.get('n'));
    if (number === null) return sendError(response, 400, invalid('n must be a whole number'));
    const body = await readBody(request, response, SEND_BYTES_MAX);
    if (body === null) return;
    const messages = parseArray(body);
    if (messages === null) return sendError(response, 400, invalid('the body must be a JSON array'));
    viewer.receive(number, messages, response);
  }

  #drop(viewer: Viewer, reason: string): void {
    if (!this.#viewers.delete(viewer.id)) return;
    this.#departed.set(viewer.id, reason);
    if (this.#departed.size > DEPARTED_MAX) this.#departed.delete(this.#departed.keys().next().value!);
    this.#options.log.debug('viewer-gone', { reason, left: this.#viewers.size });
    viewer.dispose(reason, { code: 'VIEWER_UNKNOWN', message: `the viewer was dropped: ${reason}` });
    this.#pressureChanged();
  }

  #pressureChanged(): void {
    let most = 0;
    for (const viewer of this.#viewers.values()) most = Math.max(most, viewer.pressingBytes);
    const isPressing = most > (this.#isPressing ? PRESSURE_LOW_BYTES : PRESSURE_HIGH_BYTES);
    if (isPressing !== this.#isPressing) this.#options.pressure(isPressing);
    this.#isPressing = isPressing;
  }
}
