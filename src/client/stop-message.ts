// A hosted program where it cannot be sent a SIGTERM that it could handle: hears the host's word and does what the
// signal would. Keeps no program alive.

import { Socket } from 'node:net';
import { STOP_VARIABLE, STOP_WORD } from '../wire/stop-message.ts';

const SIGTERM = 15;
/** As a shell tells of that. */
const EXIT_CODE = 128 + SIGTERM;

/**
 * Listeners of SIGTERM are told; where there are none, those of `message` get what PM2 sends on Windows
 * (shutdown_with_message); who listens to neither ends here.
 */
function stopProgram(): void {
  const emit = process.emit.bind(process) as (event: string, ...values: unknown[]) => boolean;
  if (process.listenerCount('SIGTERM') > 0) emit('SIGTERM', 'SIGTERM', SIGTERM);
  else if (process.listenerCount('message') > 0) emit('message', 'shutdown');
  else process.exit(EXIT_CODE);
}

/** Waits for the word, if the host says it this way. */
export function hearStopMessage(env: NodeJS.ProcessEnv): void {
  const descriptor = Number(env[STOP_VARIABLE]);
  delete env[STOP_VARIABLE];
  if (!Number.isInteger(descriptor)) return;
  const socket = new Socket({ fd: descriptor, readable: true, writable: false });
  let heard = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    heard += text;
    if (heard !== STOP_WORD) return;
    socket.destroy();
    stopProgram();
  });
  // Whoever had the other end is gone: the links to the fronts tell what that means.
  socket.on('error', () => socket.destroy());
  socket.unref();
}
