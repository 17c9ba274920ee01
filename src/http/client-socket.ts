// What a connection hears of its socket. The listeners are the same functions for all sockets, which saves each
// connection a handful of closures: the owner stands on the socket.

import type { Socket } from 'node:net';
import { onBytes } from './shared-reads.ts';

/** Hears of one socket. */
export interface SocketOwner {
  /** `isShared`: see shared-reads.ts. */
  socketBytes(buffer: Buffer, length: number, isShared: boolean): void;
  /** The client sends no more. */
  socketEnded(): void;
  socketDrained(): void;
  /** All that we wrote is with the system, our end included. */
  socketFinished(): void;
  socketClosed(): void;
}

/** After this much silence the system asks whether the peer is still there. */
const SILENCE_MS = 60_000;

/** Has the system notice a peer that is gone without a word. Four calls of the system: not for who stays a moment. */
export function watchPeer(socket: Socket): void {
  socket.setKeepAlive(true, SILENCE_MS);
}

const OWNER = Symbol('owner');
type OwnedSocket = Socket & { [OWNER]: SocketOwner };

function onSocketBytes(this: Socket, buffer: Buffer, length: number, isShared: boolean): void {
  (this as OwnedSocket)[OWNER].socketBytes(buffer, length, isShared);
}

function onEnd(this: OwnedSocket): void {
  this[OWNER].socketEnded();
}

function onDrain(this: OwnedSocket): void {
  this[OWNER].socketDrained();
}

function onFinish(this: OwnedSocket): void {
  this[OWNER].socketFinished();
}

function onClose(this: OwnedSocket): void {
  this[OWNER].socketClosed();
}

/** The reason does not matter: `close` follows. */
function onError(this: OwnedSocket): void {
  this.destroy();
}

/** From now on `owner` hears of the socket. */
export function ownSocket(socket: Socket, owner: SocketOwner): void {
  (socket as OwnedSocket)[OWNER] = owner;
  onBytes(socket, onSocketBytes);
  socket.on('end', onEnd);
  socket.on('drain', onDrain);
  socket.on('finish', onFinish);
  socket.on('close', onClose);
  socket.on('error', onError);
}
