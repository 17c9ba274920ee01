// Takes the PROXY protocol header off a new connection, from proxies that are trusted, within a time and a size.
// What came behind it is given back to the socket.

import type { Socket } from 'node:net';
import type { FrontContext } from './front-context.ts';
import { parseProxyHeader } from './proxy-header.ts';
import { claimEnds } from './socket-origin.ts';

/** How long a proxy may take to say for whom it connects. */
export const PROXY_HEADER_TIMEOUT_MS = 5000;

const EMPTY = Buffer.alloc(0);

/** Calls `onReady` when the header was read, with the socket paused; else the socket is cut. */
export function readProxyHeader(
  socket: Socket,
  context: Pick<FrontContext, 'clock' | 'log' | 'trusts'>,
  onReady: () => void,
): void {
  const from = socket.remoteAddress ?? '';
  if (!context.trusts(from)) {
    context.log.warn('proxy-untrusted', { from });
    socket.destroy();
    return;
  }
  let held: Buffer = EMPTY;
  const timer = context.clock.after(PROXY_HEADER_TIMEOUT_MS, () => socket.destroy());
  const cut = (): void => {
    socket.destroy();
  };
  const onData = (chunk: Buffer): void => {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    const result = parseProxyHeader(held);
    if (result.kind === 'more') return;
    if (result.kind === 'bad') {
      context.log.warn('proxy-header-bad', { from, message: result.message });
      socket.destroy();
      return;
    }
    timer.stop();
    socket.off('data', onData);
    socket.off('end', cut);
    socket.off('error', cut);
    socket.off('close', onClose);
    socket.pause();
    if (held.length > result.bytes) socket.unshift(held.subarray(result.bytes));
    if (result.ends !== null) claimEnds(socket, result.ends);
    onReady();
  };
  const onClose = (): void => timer.stop();
  socket.on('data', onData);
  socket.on('end', cut);
  socket.on('error', cut);
  socket.on('close', onClose);
}
