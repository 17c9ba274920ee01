// The transport to V8: one WebSocket to the inspector of a node process on 127.0.0.1. Node's own server
// drops the connection at a ping, a pong, a binary, fragmented or compressed frame: none is ever sent.

import WebSocket from 'ws';
import type { Clock } from '../base/clock.ts';
import { HostError } from '../base/host-error.ts';
import { askInspector } from './inspector-ready.ts';

/** Largest message of the inspector, in bytes: what fits into one string. */
const MESSAGE_BYTES_MAX = 500_000_000;
const HANDSHAKE_TIMEOUT_MS = 5000;
/** How long the end of the connection may take to be agreed on. */
const CLOSE_TIMEOUT_MS = 500;

/** Carries messages (texts of JSON) to and from an inspector; the only thing that a client knows of it. */
export interface InspectorTransport {
  send(text: string): void;
  /** Ends it; `onEnd` follows. */
  close(): void;
  /** Stops reading, so that the other side waits; `resume` goes on. */
  pause(): void;
  resume(): void;
  /** Said once, before anything is sent. */
  listen(listener: { onMessage(text: string): void; onEnd(reason: string): void }): void;
}

/** What an inspector says of its process. */
export interface InspectorTarget {
  id: string;
  title: string;
  /** Usually the `file:` URL of the entry. */
  url: string;
}

/**
 * Connects to the inspector at `port`, trying `retries` times, `retryDelayMs` apart.
 * @throws HostError DEBUGGEE_UNREACHABLE
 */
export async function dialInspector(options: {
  port: number;
  retries: number;
  retryDelayMs: number;
  clock: Clock;
}): Promise<{ transport: InspectorTransport; target: InspectorTarget }> {
  const { port, retries, retryDelayMs, clock } = options;
  let reason = 'it lists no target';
  for (let tries = 0; tries < retries; tries++) {
    if (tries > 0) await new Promise<void>((resolve) => void clock.after(retryDelayMs, resolve));
    const target = targetOf(await askInspector(port, '/json/list'));
    if (target === null) continue;
    const opened = await openSocket(`ws://127.0.0.1:${port}/${target.id}`, clock);
    if (typeof opened !== 'string') return { transport: opened, target };
    reason = opened;
  }
  throw new HostError(
    'DEBUGGEE_UNREACHABLE',
    `the inspector on port ${port} did not answer after ${retries} tries: ${reason}`,
  );
}

function targetOf(list: unknown): InspectorTarget | null {
  const first: unknown = Array.isArray(list) ? (list as unknown[])[0] : undefined;
  if (typeof first !== 'object' || first === null) return null;
  const { id, title, url } = first as Record<string, unknown>;
  if (typeof id !== 'string' || !/^[\w-]+$/.test(id)) return null;
  return {
    id,
    title: typeof title === 'string' ? title : '',
    url: typeof url === 'string' ? url : '',
  };
}

/** The transport, or why there is none. */
function openSocket(url: string, clock: Clock): Promise<InspectorTransport | string> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, {
      perMessageDeflate: false,
      maxPayload: MESSAGE_BYTES_MAX,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      skipUTF8Validation: true,
      autoPong: false,
    });
    const refused = (error: Error): void => resolve(error.message);
    socket.once('error', refused);
    socket.once('close', () => resolve('the connection was closed'));
    socket.once('open', () => {
      socket.off('error', refused);
      resolve(transportOver(socket, clock));
    });
  });
}

function transportOver(socket: WebSocket, clock: Clock): InspectorTransport {
  let reason = 'the process closed its inspector';
  socket.on('error', (error) => {
    reason = error.message;
  });
  return {
    send(text) {
      if (socket.readyState === WebSocket.OPEN) socket.send(text);
    },
    close() {
      reason = 'the session was closed';
      socket.close();
      clock.after(CLOSE_TIMEOUT_MS, () => socket.terminate());
    },
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    listen({ onMessage, onEnd }) {
      socket.on('message', (data: Buffer) => onMessage(data.toString()));
      if (socket.readyState === WebSocket.CLOSED) queueMicrotask(() => onEnd(reason));
      else socket.once('close', () => onEnd(reason));
    },
  };
}
