// What clients send is read into one buffer for all of them: node makes a buffer of 64 kB for each read otherwise,
// which costs more than the read (docs/decisions/0006-shared-reads.md). Node offers that as `onread` for sockets
// that a program makes; to give it to accepted ones takes members without documentation. Where one is missing,
// or the socket has been read from, its bytes come as `data` events.

import * as net from 'node:net';
import * as tls from 'node:tls';

const SHARED_BYTES = 65_536;
const shared = Buffer.allocUnsafeSlow(SHARED_BYTES);

/**
 * Called on the socket. `isShared`: the bytes are there only until the call returns, and are never to be written.
 */
export type OnBytes = (this: net.Socket, buffer: Buffer, length: number, isShared: boolean) => void;

/** Who takes the bytes of a socket that reads into the shared buffer. */
const TAKE = Symbol('take');

/** Called by node on the socket. False would pause it. */
function onSharedRead(this: net.Socket & { [TAKE]: OnBytes }, length: number): boolean {
  this[TAKE](shared, length, true);
  return true;
}

type Handle = { useUserBuffer?: (buffer: Uint8Array) => void } | null | undefined;

/** The members in which node keeps the parts of `onread`; null where they are not as known. */
function onreadKeys(): { buffer: symbol; generator: symbol; callback: symbol } | null {
  const callback = (): boolean => true;
  const generator = (): Buffer => shared;
  const [byBuffer, byGenerator] = [shared, generator].map((buffer) => {
    const socket = new net.Socket({ onread: { buffer, callback } } as net.SocketConstructorOpts);
    const members = socket as unknown as Record<symbol, unknown>;
    return (value: unknown) => Object.getOwnPropertySymbols(socket).find((key) => members[key] === value);
  });
  const [buffer, call, next] = [byBuffer!(shared), byBuffer!(callback), byGenerator!(generator)];
  return buffer && call && next ? { buffer, generator: next, callback: call } : null;
}

const keys = onreadKeys();

interface OpenSocket {
  handle: { useUserBuffer(buffer: Uint8Array): void };
  members: Record<symbol, unknown>;
}

/** Null: it is no socket of node's own, or somebody has read from it. */
function openSocket(socket: net.Socket): OpenSocket | null {
  const { _handle: handle } = socket as unknown as { _handle?: Handle };
  const isFresh = socket.readableFlowing === null && socket.readableLength === 0;
  const prototype = Object.getPrototypeOf(socket) as unknown;
  const isOfNode = prototype === net.Socket.prototype || prototype === tls.TLSSocket.prototype;
  if (!isFresh || !isOfNode || typeof handle?.useUserBuffer !== 'function') return null;
  const members = socket as unknown as Record<symbol, unknown>;
  return { handle: handle as OpenSocket['handle'], members };
}

/** Calls for all bytes of an accepted socket. `end`, `pause` and the rest are as ever. Returns if reads are shared. */
export function onBytes(socket: net.Socket, take: OnBytes): boolean {
  const open = openSocket(socket);
  if (keys === null || open === null) {
    socket.on('data', (chunk: Buffer) => take.call(socket, chunk, chunk.length, false));
    return false;
  }
  const { handle, members } = open;
  members[keys.buffer] = shared;
  members[keys.callback] = onSharedRead;
  members[TAKE] = take;
  handle.useUserBuffer(shared);
  return true;
}

/**
 * Has an accepted socket read into buffers of the caller: into `first`, and behind each `take` into what `next`
 * names. False: that cannot be, and nothing has changed.
 */
export function readInto(
  socket: net.Socket,
  { first, take, next }: { first: Buffer; take: (length: number) => void; next: () => Buffer },
): boolean {
  const open = openSocket(socket);
  if (keys === null || open === null) return false;
  const { handle, members } = open;
  members[keys.buffer] = first;
  members[keys.generator] = next;
  members[keys.callback] = (length: number): boolean => {
    take(length);
    return true;
  };
  handle.useUserBuffer(first);
  return true;
}
