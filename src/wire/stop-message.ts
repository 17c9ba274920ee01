// How the host tells a hosted process to stop where a signal would end it at once (Windows): a word on a pipe that the
// process got as a descriptor when it was spawned. The preload makes of it what SIGTERM is elsewhere.

/** Names the descriptor to the preload, which takes it out of sight. */
export const STOP_VARIABLE = 'SLIPSTREAM_STOP';
/** Behind stdin, stdout and stderr. */
export const STOP_DESCRIPTOR = 3;
/** All that is ever said there. */
export const STOP_WORD = 'stop\n';

/** How a process is told to stop. */
export type StopBy = 'signal' | 'message';

/** The way of this system; SLIPSTREAM_STOP_BY=message has that of Windows elsewhere, as the tests do. */
export function usualStopBy(platform: string = process.platform, env: NodeJS.ProcessEnv = process.env): StopBy {
  return platform === 'win32' || env['SLIPSTREAM_STOP_BY'] === 'message' ? 'message' : 'signal';
}
