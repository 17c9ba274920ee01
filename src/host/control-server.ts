// The host's end of the control socket: reads one request a connection, runs its handler, sends replies.
// It promises that every connection comes to an end, that the socket is the owner's only, and that a bad
// line or a client that reads nothing costs the host no more than a bounded buffer.

import { chmodSync } from 'node:fs';
import * as net from 'node:net';
import { HostError, messageOf } from '../base/host-error.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { ControlReply, ControlRequest, ControlRequestOf } from '../wire/control-messages.ts';

const CONNECTIONS_MAX = 64;
const REQUEST_BYTES_MAX = 65_536;
/** How long a client may take to send its request. */
const REQUEST_TIMEOUT_MS = 10_000;
/** A follower that reads this much too slowly is dropped. */
const UNREAD_BYTES_MAX = 16_777_216;

/** What a handler has of its client. */
export interface ControlClient {
  /** Sends a line; does nothing when the client is gone. */
  send(reply: ControlReply): void;
  /** Aborted when the client is gone or the host stops. */
  readonly gone: AbortSignal;
}

/** A handler a verb. What it resolves with is the result of `done`; a HostError becomes `failed`. */
export type ControlHandlers = {
  [Verb in ControlRequest['verb']]: (
    request: ControlRequestOf<Verb>,
    client: ControlClient,
  ) => Promise<unknown>;
};

export interface ControlServer {
  /** Hangs up on everybody and removes the socket. Calling again does nothing. */
  close(): void;
}

export interface ControlServerOptions {
  /** Path of the socket. */
  path: string;
  handlers: ControlHandlers;
  clock: Clock;
  log: Log;
}

/** Opens the socket. @throws HostError LISTEN_FAILED */
export async function openControlServer(options: ControlServerOptions): Promise<ControlServer> {
  const { path, log } = options;
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    serveClient(socket, options);
  });
  server.maxConnections = CONNECTIONS_MAX;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      const message = `cannot open the control socket ${path}: ${messageOf(error)}`;
      reject(new HostError('LISTEN_FAILED', message, { cause: error }));
    });
    server.listen(path, resolve);
  });
  server.on('error', (error) => log.warn('control-failed', { reason: messageOf(error) }));
  if (process.platform !== 'win32') chmodSync(path, 0o600);
  return {
    close() {
      for (const socket of sockets) socket.destroy();
      // Removes the file too.
      if (server.listening) server.close();
    },
  };
}

function serveClient(socket: net.Socket, options: ControlServerOptions): void {
  const gone = new AbortController();
  const client: ControlClient = {
    gone: gone.signal,
    send(reply) {
      if (socket.destroyed || !socket.writable) return;
      if (socket.writableLength > UNREAD_BYTES_MAX) {
        socket.destroy();
        return;
      }
      socket.write(`${JSON.stringify(reply)}\n`);
    },
  };
  const late = options.clock.after(REQUEST_TIMEOUT_MS, () => socket.destroy());
  let text = '';
  function read(chunk: string): void {
    text += chunk;
    const end = text.indexOf('\n');
    if (end === -1) {
      if (text.length > REQUEST_BYTES_MAX) socket.destroy();
      return;
    }
    late.stop();
    socket.off('data', read);
    // Nothing more is expected, but the end of the client has to be seen.
    socket.resume();
    void run(text.slice(0, end), options, client).then(() => socket.end());
  }
  socket.setEncoding('utf8');
  socket.on('data', read);
  // A client that is gone is told by 'close'.
  socket.on('error', (error) => options.log.debug('control-client-lost', { reason: messageOf(error) }));
  socket.once('end', () => gone.abort());
  socket.once('close', () => {
    late.stop();
    gone.abort();
  });
}

async function run(line: string, options: ControlServerOptions, client: ControlClient): Promise<void> {
  const { handlers, log } = options;
  try {
    const request = parse(line, handlers);
    log.debug('control', { verb: request.verb });
    // The verb chooses the handler that takes such a request; the compiler cannot follow that.
    const handler = handlers[request.verb] as (
      request: ControlRequest,
      client: ControlClient,
    ) => Promise<unknown>;
    client.send({ kind: 'done', result: (await handler(request, client)) ?? null });
  } catch (error) {
    const code = error instanceof HostError ? error.code : 'INTERNAL';
    if (code === 'INTERNAL') log.error('control-failed', { reason: messageOf(error) });
    client.send({ kind: 'failed', code, message: messageOf(error) });
  }
}

function parse(line: string, handlers: ControlHandlers): ControlRequest {
  let request: unknown;
  try {
    request = JSON.parse(line);
  } catch (error) {
    throw new HostError('CONTROL_INVALID', 'the request is not JSON', { cause: error });
  }
  const verb = (request as { verb?: unknown } | null)?.verb;
  if (typeof verb !== 'string' || !Object.hasOwn(handlers, verb)) {
    const shown = JSON.stringify(verb) ?? 'nothing';
    throw new HostError('CONTROL_INVALID', `this host knows no request ${shown}; is it of another version?`);
  }
  return request as ControlRequest;
}
