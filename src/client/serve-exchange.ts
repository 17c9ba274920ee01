// Requests from the link become node's own: node's connection listener is put on an exchange socket once, and
// each request goes to the `onIncoming` that it left on its parser. So responses, expectations, limits,
// timeouts, aborts and diagnostics are node's code in every version; the parser itself gets no bytes.

import type { Server } from 'node:http';
import http from 'node:http';
import type net from 'node:net';
import { Duplex } from 'node:stream';
import type { LinkRequest, Origin, TlsOrigin } from '../wire/link-messages.ts';
import type { ExchangeLink } from './channel-writer.ts';
import { ExchangeSocket } from './exchange-socket.ts';
import type { NodeParser, NodeRequest } from './exchange-socket.ts';
import { isHeadTooLong, refuseLongHead } from './head-limit.ts';
import type { ChannelFrames } from './host-link.ts';
import { markAnswers, promotedFields } from './iisnode-traits.ts';
import { addTlsMembers, httpsysClient } from './tls-members.ts';

/** Marks requests of local clients, also for a second copy of this module in the process. */
export const LOCAL_REQUEST = Symbol.for('slipstream.local-request');

type Listener = (this: Server, socket: net.Socket) => void;
type MakeRequest = new (socket: ExchangeSocket) => NodeRequest;

/** A server with what node's modules keep on it. */
type NodeServer = Server & {
  joinDuplicateHeaders?: boolean;
  _connections: number;
  _emitCloseIfDrained(): void;
  [symbol: symbol]: unknown;
};

/** What node's modules add to a socket by assignment. */
interface Listenable {
  on: unknown;
  addListener: unknown;
  prependListener: unknown;
  readableFlowing: boolean | null;
}

const nodeConnectionListener = (http as unknown as { _connectionListener: Listener })
  ._connectionListener;
const NOTHING = Buffer.alloc(0);
/** The response of node's `onIncoming` to a request that changes protocols. */
const CHANGES_PROTOCOLS = 2;
/** What node's connection listener listens to, and what an upgrade takes off again. */
const HTTP_EVENTS = [
  'data', 'end', 'close', 'drain', 'error', 'timeout', 'pause', 'resume',
] as const;

/** The open channels of a server, in the place of node's list of parsers. */
class ConnectionList {
  readonly sockets = new Set<ExchangeSocket>();

  all(): { socket: { destroy(): void } }[] {
    return [...this.sockets].map((socket) => ({ socket }));
  }

  active(): { socket: ExchangeSocket }[] {
    return [...this.sockets].filter((socket) => !socket.isIdle).map((socket) => ({ socket }));
  }

  /** Closing these gives the channels up; their clients stay connected to the front. */
  idle(): { socket: { _httpMessage: null; destroy(): void } }[] {
    const idle = [...this.sockets].filter((socket) => socket.isIdle);
    return idle.map((socket) => ({
      socket: { _httpMessage: null, destroy: () => socket.leave() },
    }));
  }

  /** Requests whose body takes longer than `server.requestTimeout`. Slow heads are the front's business. */
  expired(_headersTimeoutMs: number, requestTimeoutMs: number): { socket: ExchangeSocket }[] {
    if (requestTimeoutMs === 0) return [];
    const overdue = [...this.sockets].filter((socket) => socket.isBodyOverdue(requestTimeoutMs));
    return overdue.map((socket) => ({ socket }));
  }
}

function symbolOf(object: object, description: string): symbol | undefined {
  return Object.getOwnPropertySymbols(object).find((symbol) => symbol.description === description);
}

interface Adopted {
  connections: ConnectionList;
  connectionsKey: symbol | undefined;
  requestKey: symbol | undefined;
  /** `connection`, or `secureConnection` for an https server. */
  event: string;
}

const adoptedServers = new WeakMap<Server, Adopted>();
const tlsOrigins = new WeakMap<ExchangeSocket, TlsOrigin>();

/**
 * Makes a server ready for exchanges from the link. Sockets of other origin still reach it as before.
 * Call it after node's own 'listening' listener has run.
 */
export function adoptServer(server: Server): void {
  if (adoptedServers.has(server)) return;
  const event = 'setSecureContext' in server ? 'secureConnection' : 'connection';
  const adopted: Adopted = {
    connections: new ConnectionList(),
    connectionsKey: symbolOf(server, 'http.server.connections'),
    requestKey: symbolOf(server, 'IncomingMessage'),
    event,
  };
  adoptedServers.set(server, adopted);
  markAnswers(server);
  const { connectionsKey } = adopted;
  if (connectionsKey !== undefined) {
    (server as NodeServer)[connectionsKey] = adopted.connections;
  }
  if (!server.listeners(event).includes(nodeConnectionListener)) return;
  server.removeListener(event, nodeConnectionListener);
  server.prependListener(event, function onConnection(this: Server, socket: net.Socket) {
    // A tunnel that the program hands to a server carries bytes, which node's parser reads.
    if (socket instanceof ExchangeSocket && !socket.isRaw) attachNode(this as NodeServer, socket, adopted);
    else withNodeList(this as NodeServer, adopted, socket);
  });
}

/** Runs node's connection listener without our list, which its parser could not use. */
function withNodeList(server: NodeServer, adopted: Adopted, socket: net.Socket): void {
  const { connectionsKey, connections } = adopted;
  if (connectionsKey === undefined) {
    nodeConnectionListener.call(server, socket);
    return;
  }
  server[connectionsKey] = undefined;
  try {
    nodeConnectionListener.call(server, socket);
  } finally {
    server[connectionsKey] = connections;
  }
}

function attachNode(server: NodeServer, socket: ExchangeSocket, adopted: Adopted): void {
  withNodeList(server, adopted, socket as unknown as net.Socket);
  for (const event of HTTP_EVENTS) {
    for (const listener of socket.listeners(event)) socket.httpListeners.push(event, listener);
  }
  // Node wraps these to notice who else reads; there is nothing to read but what the front sent.
  const listenable = socket as unknown as Listenable;
  listenable.on = Duplex.prototype.on;
  listenable.addListener = Duplex.prototype.addListener;
  listenable.prependListener = Duplex.prototype.prependListener;
}

/** Opens a channel on a server. Null: it takes no more connections. */
function openChannel(
  adopted: Adopted,
  server: NodeServer,
  link: ExchangeLink,
  id: number,
  origin: Origin,
): ExchangeSocket | null {
  const { maxConnections } = server;
  if (typeof maxConnections === 'number' && server._connections >= maxConnections) {
    server.emit('drop', { ...origin });
    return null;
  }
  const socket = new ExchangeSocket(server, link, id, origin);
  if (origin.tls !== undefined) {
    addTlsMembers(socket, origin.tls);
    tlsOrigins.set(socket, origin.tls);
  }
  server._connections += 1;
  adopted.connections.sockets.add(socket);
  socket.onClosed = () => {
    adopted.connections.sockets.delete(socket);
    server._connections -= 1;
    server._emitCloseIfDrained();
  };
  return socket;
}

/** Tells the server's listeners, node's own first, of a new connection. */
function announce(socket: ExchangeSocket): void {
  const adopted = adoptedServers.get(socket.server);
  if (adopted !== undefined) socket.server.emit(adopted.event, socket);
}

/** RFC 9112 9.3, as node's parser decides it. */
function keepsAlive(request: LinkRequest): boolean {
  const { fields, version } = request;
  let persists = version !== 10;
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index]!;
    if (name.length !== 10 || name.toLowerCase() !== 'connection') continue;
    const value = fields[index + 1]!;
    if (/(?:^|,)\s*close\s*(?:,|$)/i.test(value)) return false;
    if (version === 10 && /(?:^|,)\s*keep-alive\s*(?:,|$)/i.test(value)) persists = true;
  }
  return persists;
}

function makeRequest(socket: ExchangeSocket, parser: NodeParser, from: LinkRequest): NodeRequest {
  const server = socket.server as NodeServer;
  const key = adoptedServers.get(server)?.requestKey;
  const Request = (key === undefined ? http.IncomingMessage : server[key]) as MakeRequest;
  const request = new Request(socket);
  const tls = tlsOrigins.get(socket);
  if (tls !== undefined) (request as unknown as { client: object }).client = httpsysClient(socket, tls);
  // An HTTP/2 stream carries an ordinary exchange; node's classes know chunks from 1.1 on only.
  const minor = from.version === 10 ? 0 : 1;
  request.httpVersionMajor = 1;
  request.httpVersionMinor = minor;
  request.httpVersion = minor === 1 ? '1.1' : '1.0';
  request.joinDuplicateHeaders = server.joinDuplicateHeaders ?? false;
  request.method = from.method;
  request.url = from.target;
  request.upgrade = from.upgrade;
  const fields = promotedFields(from, socket);
  const limit = parser.maxHeaderPairs;
  request._addHeaderLines(fields, limit > 0 ? Math.min(fields.length, limit) : fields.length);
  if (from.local) (request as unknown as Record<symbol, boolean>)[LOCAL_REQUEST] = true;
  return request;
}

/**
 * An exchange of HTTP/2 is one of HTTP/1.1 for node's response, which looks at the versions while it is made:
 * a minor one below 1 means no chunks. Expectations are handled only for 1.1.
 */
function showHttp2(request: NodeRequest, moment: 'while-begun' | 'begun'): void {
  if (moment === 'while-begun' && request.headers.expect !== undefined) return;
  request.httpVersion = '2.0';
  request.httpVersionMajor = 2;
  if (moment === 'begun') request.httpVersionMinor = 0;
}

function serveRequest(socket: ExchangeSocket, from: LinkRequest): void {
  if (socket.parser === null) announce(socket);
  const { parser } = socket;
  if (parser === null || socket.destroyed) {
    // Somebody took node's listener off the server, or refused the connection.
    socket.destroy();
    return;
  }
  const request = makeRequest(socket, parser, from);
  parser.incoming = request;
  socket.begin(request, from.ended);
  if (isHeadTooLong(socket.server, from)) {
    refuseLongHead(socket.server, socket);
    return;
  }
  if (from.version === 20) showHttp2(request, 'while-begun');
  const verdict = parser.onIncoming(request, keepsAlive(from));
  if (from.version === 20) showHttp2(request, 'begun');
  if (verdict === CHANGES_PROTOCOLS) {
    changeProtocols(socket, request);
  } else if (from.ended) {
    request.complete = true;
    request.push(null);
  }
}

/** Hands the socket over as node does: without its HTTP listeners, with the rest as raw bytes. */
function changeProtocols(socket: ExchangeSocket, request: NodeRequest): void {
  const server = socket.server as NodeServer;
  const { httpListeners } = socket;
  for (let index = 0; index < httpListeners.length; index += 2) {
    const listener = httpListeners[index + 1] as () => void;
    socket.removeListener(httpListeners[index] as string, listener);
  }
  socket.httpListeners = [];
  socket.parser = null;
  adoptedServers.get(server)?.connections.sockets.delete(socket);
  request.complete = true;
  request.push(null);
  socket.upgrade();
  const event = request.method === 'CONNECT' ? 'connect' : 'upgrade';
  if (server.listenerCount(event) === 0) {
    socket.destroy();
    return;
  }
  (socket as unknown as Listenable).readableFlowing = null;
  server.emit(event, request, socket, NOTHING);
}

function receive(socket: ExchangeSocket, bytes: Buffer): void {
  socket.receive(bytes);
}

function receiveEnd(socket: ExchangeSocket, trailers: string[]): void {
  socket.receiveEnd(trailers);
}

function receiveCredit(socket: ExchangeSocket, bytes: number): void {
  socket.receiveCredit(bytes);
}

/** What to do with the frames of channels. `serverNow` is the server that new channels belong to. */
export function exchangeFrames(serverNow: () => Server | null): ChannelFrames<ExchangeSocket> {
  return {
    open(link, id, origin) {
      const server = serverNow();
      const adopted = server === null ? undefined : adoptedServers.get(server);
      if (server === null || adopted === undefined) return null;
      return openChannel(adopted, server as NodeServer, link, id, origin);
    },
    request: (socket, request) => socket.scope.runInAsyncScope(serveRequest, null, socket, request),
    data: (socket, bytes) => socket.scope.runInAsyncScope(receive, null, socket, bytes),
    end: (socket, trailers) => socket.scope.runInAsyncScope(receiveEnd, null, socket, trailers),
    credit: (socket, bytes) => socket.scope.runInAsyncScope(receiveCredit, null, socket, bytes),
    gone: (socket) => socket.gone(),
  };
}

