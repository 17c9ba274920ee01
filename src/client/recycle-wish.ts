// `process.send({ type: 'recycle' })` in a hosted program: the app gets new processes, this one finishes what it has
// and ends. Other messages mean nothing to the host and are dropped: programs say `ready` to their manager this way.

import { connect } from 'node:net';

type Sent = (error: Error | null) => void;

function isWish(message: unknown): boolean {
  return typeof message === 'object' && message !== null && (message as { type?: unknown }).type === 'recycle';
}

/** Tells the host; `sent` is called when it has been told, or with why not. */
function wish(socketPath: string, sent: Sent): void {
  let failure: Error | null = null;
  const socket = connect(socketPath, () => socket.end('recycle'));
  socket.on('error', (error) => (failure = error));
  socket.resume();
  socket.on('close', () => sent(failure));
}

/**
 * Gives the program a `process.send`, unless it has one: a fork, and a worker of `cluster`, speaks with its parent.
 * There is no channel behind it, so `process.connected` stays undefined and no `message` comes.
 */
export function offerRecycleWish(socketPath: string | undefined): void {
  if (socketPath === undefined || process.send !== undefined) return;
  process.send = (message: unknown, ...rest: unknown[]): boolean => {
    const last = rest.at(-1);
    const sent: Sent = typeof last === 'function' ? (last as Sent) : () => {};
    if (isWish(message)) wish(socketPath, sent);
    else process.nextTick(sent, null);
    return true;
  };
}
