// The other transport to V8: a private socket that a thread of the debuggee listens on. See inspector-messages.ts.

import { connect, type Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { HostError, messageOf } from '../base/host-error.ts';
import { InspectorMessageReader, inspectorMessage, type InspectorHello } from '../wire/inspector-messages.ts';
import type { InspectorTarget, InspectorTransport } from './inspector-socket.ts';

const HELLO_TIMEOUT_MS = 5000;

/**
 * Connects to the thread that listens at `path`, trying `retries` times, `retryDelayMs` apart.
 * @throws HostError DEBUGGEE_UNREACHABLE
 */
export async function dialInspectorThread(options: {
  path: string;
  retries: number;
  retryDelayMs: number;
  clock: Clock;
}): Promise<{ transport: InspectorTransport; target: InspectorTarget }> {
  const { path, retries, retryDelayMs, clock } = options;
  let reason = 'nothing was tried';
  for (let tries = 0; tries < retries; tries++) {
    if (tries > 0) await new Promise<void>((resolve) => void clock.after(retryDelayMs, resolve));
    const opened = await openThread(path, clock);
    if (typeof opened !== 'string') return opened;
    reason = opened;
  }
  throw new HostError(
    'DEBUGGEE_UNREACHABLE',
    `the inspector thread did not answer after ${retries} tries: ${reason}`,
  );
}

/** Transport and target as soon as the hello came, or why there is none. */
function openThread(
  path: string,
  clock: Clock,
): Promise<{ transport: InspectorTransport; target: InspectorTarget } | string> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const timer = clock.after(HELLO_TIMEOUT_MS, () => socket.destroy(new Error('no hello came')));
    const transport = new ThreadTransport(socket, (hello) => {
      timer.stop();
      resolve({ transport, target: { id: String(hello.pid), title: '', url: hello.url } });
    });
    socket.on('close', () => {
      timer.stop();
      resolve(transport.reason);
    });
  });
}

class ThreadTransport implements InspectorTransport {
  reason = 'the process closed its inspector';
  #socket: Socket;
  #listener: { onMessage(text: string): void; onEnd(reason: string): void } | null = null;
  /** What came before anybody listened. */
  #early: string[] = [];

  constructor(socket: Socket, onHello: (hello: InspectorHello) => void) {
    this.#socket = socket;
    let isGreeted = false;
    const reader = new InspectorMessageReader((text) => {
      if (isGreeted) return this.#receive(text);
      isGreeted = true;
      onHello(JSON.parse(text) as InspectorHello);
    });
    socket.on('data', (chunk) => {
      try {
        reader.push(chunk);
      } catch (error) {
        socket.destroy(new Error(messageOf(error)));
      }
    });
    socket.on('error', (error) => (this.reason = error.message));
    socket.on('close', () => this.#listener?.onEnd(this.reason));
  }

  #receive(text: string): void {
    if (this.#listener === null) this.#early.push(text);
    else this.#listener.onMessage(text);
  }

  send(text: string): void {
    if (this.#socket.writable) this.#socket.write(inspectorMessage(text));
  }

  close(): void {
    this.reason = 'the session was closed';
    this.#socket.end();
    this.#socket.destroySoon();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  listen(listener: { onMessage(text: string): void; onEnd(reason: string): void }): void {
    this.#listener = listener;
    if (this.#socket.destroyed) queueMicrotask(() => listener.onEnd(this.reason));
    for (const text of this.#early.splice(0)) listener.onMessage(text);
  }
}
