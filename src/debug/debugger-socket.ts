// A connection to a debugger that outlives the user's side. Between this socket and the debuggee stands a proxy
// process, which holds the debugger's one connection: when this side goes and comes back, the session is still
// there. Events, in this order: connect, data, away, beforeBack, back, end, error.

import { spawn, type ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { connect as netConnect, type Socket } from 'node:net';
import { StringDecoder } from 'node:string_decoder';
import { unreachable } from '../base/assert.ts';
import { systemClock, type Clock, type Timer } from '../base/clock.ts';
import { SESSION_ENDED_TEXT } from './inspector-client.ts';
import { PROXY_READY_MARK } from './pipe-proxy.ts';
import { stepSocket, type SocketEffect, type SocketEvent, type SocketState } from './debugger-socket-state.ts';

/** Bytes that wait while the socket is away or not connected yet; more are refused. */
export const OUTBOX_BYTES_MAX = 16_777_216;

/** The proxy that the socket uses. */
export interface SocketProxy {
  /** Program for `node -e`. It prints `ß` on stdout when it can be reached. */
  source: string;
  /** Where the proxy listens on 127.0.0.1. Default one more than the debug port. */
  port?: number;
  /** A Unix socket or named pipe instead of a port. */
  socketPath?: string;
  /** Tries to reach a proxy that was started. Default 100. */
  retries?: number;
  /** Pause between two tries, and before the cascade begins anew, in ms. Default 300. */
  retryIntervalMs?: number;
  /** The proxy outlives this process. Default false. */
  detach?: boolean;
}

export interface DebuggerSocketOptions {
  /** The debuggee is one that was debugged before: a greeting that it will not send again is made up. */
  reconnect?: boolean;
  clock?: Clock;
}

/** Called when a message was written, or with why it never will be. */
export type Sent = (error: Error | null) => void;

interface Waiting {
  data: string | Buffer;
  sent: Sent | undefined;
}

/** Listeners by event. `beforeBack` may return false: then {@link DebuggerSocket.enable} is up to them. */
export interface DebuggerSocketEvents {
  connect: [];
  data: [text: string];
  away: [];
  beforeBack: [];
  back: [];
  end: [error: Error | null];
  error: [error: Error];
}

/** See the head of this file. Nothing happens before {@link DebuggerSocket.connect}. */
export class DebuggerSocket extends EventEmitter<DebuggerSocketEvents> {
  static readonly DISCONNECTED = 0;
  static readonly CONNECTED = 1;
  static readonly CONNECTING = 2;
  readonly DISCONNECTED = 0;
  readonly CONNECTED = 1;
  readonly CONNECTING = 2;
  #proxy: SocketProxy | null;
  #proxyPort: number;
  #options: DebuggerSocketOptions;
  #clock: Clock;
  #state: SocketState = { kind: 'fresh' };
  #stream: Socket | null = null;
  #child: ChildProcess | null = null;
  #retry: Timer | null = null;
  #outbox: Waiting[] = [];
  #outboxBytes = 0;
  #reason: Error | null = null;

  /** `proxy`: source of a proxy, its settings, or false for none: then one must listen already. */
  constructor(port: number, proxy: string | SocketProxy | false, options: DebuggerSocketOptions = {}) {
    super();
    this.#proxy = typeof proxy === 'string' ? { source: proxy } : proxy === false ? null : proxy;
    this.#proxyPort = this.#proxy?.port ?? port + 1;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** One of the constants; undefined before the first connect. */
  get connected(): 0 | 1 | 2 | undefined {
    switch (this.#state.kind) {
      case 'fresh':
        return undefined;
      case 'dialing':
      case 'starting':
        return this.CONNECTING;
      case 'connected':
        return this.CONNECTED;
      case 'waiting':
      case 'away':
      case 'returning':
      case 'closed':
        return this.DISCONNECTED;
      default:
        return unreachable(this.#state);
    }
  }

  /** `null` before the first connect and after the end. */
  get state(): 'connecting' | 'connected' | 'away' | 'disconnected' | null {
    switch (this.#state.kind) {
      case 'fresh':
      case 'closed':
        return null;
      case 'dialing':
      case 'starting':
        return 'connecting';
      case 'waiting':
        return 'disconnected';
      case 'connected':
        return 'connected';
      case 'away':
      case 'returning':
        return 'away';
      default:
        return unreachable(this.#state);
    }
  }

  /** True while there is a session: connected, or away from one. */
  get attached(): boolean {
    return this.state === 'connected' || this.state === 'away';
  }

  /** Connects to the proxy, starting it where it is not there. `force` starts one without asking first. */
  connect(force = false): void {
    this.#step(force ? 'force' : 'connect');
  }

  /**
   * Sends a message. Away, or not connected yet, it waits; at the end of the session it fails. False when it
   * waits or failed: nothing is dropped without a word.
   */
  send(data: string | Buffer, sent?: Sent): boolean {
    const { kind } = this.#state;
    if (kind === 'connected' && this.#stream !== null) return this.#write({ data, sent });
    const bytes = Buffer.byteLength(data);
    if (kind === 'fresh' || kind === 'closed') {
      sent?.(new Error(SESSION_ENDED_TEXT));
    } else if (this.#outboxBytes + bytes > OUTBOX_BYTES_MAX) {
      sent?.(new Error(`more than ${OUTBOX_BYTES_MAX} bytes wait for the connection`));
    } else {
      this.#outbox.push({ data, sent });
      this.#outboxBytes += bytes;
    }
    return false;
  }

  /** Goes on after `beforeBack` was cancelled. */
  enable(): void {
    this.#step('enable');
  }

  /** Ends the session on this side; the proxy stays. `end` follows. */
  close(error: Error | null = null): void {
    this.#reason = error;
    this.#step('close');
  }

  #step(event: SocketEvent): void {
    const [next, effects] = stepSocket(this.#state, event);
    this.#state = next;
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: SocketEffect): void {
    switch (effect) {
      case 'dial':
        return this.#dial(this.#proxy?.retries ?? 100);
      case 'hang-up':
        return this.#hangUp();
      case 'start-proxy':
        return this.#startProxy();
      case 'pause':
        this.#retry = this.#clock.after(this.#intervalMs, () => this.#step('pause-over'));
        return;
      case 'stop-pause':
        return this.#retry?.stop();
      case 'tell-connect':
        // A debuggee that runs already says its greeting to nobody twice.
        if (this.#options.reconnect === true) this.emit('data', 'Content-Length:0\r\n\r\n');
        this.emit('connect');
        return;
      case 'tell-away':
        this.emit('away');
        return;
      case 'tell-before-back':
        if (this.#mayGoOn()) this.#step('enable');
        return;
      case 'tell-back':
        this.emit('back');
        return;
      case 'tell-end':
        return this.#tellEnd();
      case 'flush':
        for (const waiting of this.#takeOutbox()) this.#write(waiting);
        return;
      default:
        unreachable(effect);
    }
  }

  get #intervalMs(): number {
    return this.#proxy?.retryIntervalMs ?? 300;
  }

  /** A proxy that was started just now may need a moment: then, and only then, a refusal is tried again. */
  #dial(triesLeft: number): void {
    const { kind } = this.#state;
    const isPatient = this.#state.kind === 'dialing' && this.#state.afterStart;
    const path = this.#proxy?.socketPath;
    const stream = path === undefined ? netConnect(this.#proxyPort, '127.0.0.1') : netConnect(path);
    this.#stream = stream;
    const decoder = new StringDecoder('utf8');
    let isOpen = false;
    stream.on('connect', () => {
      isOpen = true;
      if (this.#stream === stream) this.#step('dialed');
    });
    stream.on('data', (part: Buffer) => {
      if (this.#stream === stream) this.emit('data', decoder.write(part));
    });
    stream.on('error', (error) => (this.#reason = error));
    stream.on('close', () => {
      if (this.#stream !== stream) return;
      this.#stream = null;
      if (isOpen) return this.#step('lost');
      if (!isPatient || triesLeft <= 1) return this.#step('refused');
      this.#retry = this.#clock.after(this.#intervalMs, () => {
        if (this.#state.kind === kind && this.#stream === null) this.#dial(triesLeft - 1);
      });
    });
  }

  #hangUp(): void {
    const stream = this.#stream;
    this.#stream = null;
    this.#retry?.stop();
    stream?.destroy();
  }

  #startProxy(): void {
    const proxy = this.#proxy;
    if (proxy === null) {
      // A turn later: whoever steps is still performing.
      queueMicrotask(() => this.#step('proxy-failed'));
      return;
    }
    const { source, detach = false } = proxy;
    const stdio = ['ignore', detach ? 'ignore' : 'pipe', 'ignore'] as const;
    const child = spawn(process.execPath, ['-e', source], { stdio: [...stdio], detached: detach });
    this.#child = child;
    child.unref();
    const settle = (event: 'proxy-ready' | 'proxy-failed'): void => {
      if (this.#child !== child) return;
      if (event === 'proxy-failed') this.#child = null;
      this.#step(event);
    };
    child.on('error', (error) => {
      this.#tellError(error);
      settle('proxy-failed');
    });
    child.on('exit', () => settle('proxy-failed'));
    // Without a pipe nobody says when; the dial is patient.
    if (child.stdout === null) child.once('spawn', () => settle('proxy-ready'));
    else this.#awaitMark(child.stdout, () => settle('proxy-ready'));
  }

  #awaitMark(stdout: NodeJS.ReadableStream, found: () => void): void {
    let text = '';
    (stdout as NodeJS.ReadableStream & { unref?: () => void }).unref?.();
    stdout.setEncoding('utf8');
    stdout.on('data', (part: string) => {
      text = (text + part).slice(-1024);
      if (!text.includes(PROXY_READY_MARK)) return;
      text = '';
      found();
    });
  }

  #mayGoOn(): boolean {
    let mayGoOn = true;
    for (const listener of this.listeners('beforeBack')) {
      if ((listener as () => unknown).call(this) === false) mayGoOn = false;
    }
    return mayGoOn;
  }

  #tellEnd(): void {
    const reason = this.#reason;
    this.#reason = null;
    for (const { sent } of this.#takeOutbox()) sent?.(new Error(SESSION_ENDED_TEXT));
    this.emit('end', reason);
  }

  #tellError(error: Error): void {
    // Without a listener it would end the program.
    if (this.listenerCount('error') > 0) this.emit('error', error);
  }

  #takeOutbox(): Waiting[] {
    this.#outboxBytes = 0;
    return this.#outbox.splice(0);
  }

  #write({ data, sent }: Waiting): boolean {
    const stream = this.#stream;
    if (stream === null) {
      sent?.(new Error(SESSION_ENDED_TEXT));
      return false;
    }
    return stream.write(data, (error) => sent?.(error ?? null));
  }
}
