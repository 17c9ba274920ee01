// Where a user's hosts keep their sockets: looked up by hosts, and by processes that look for a host.

import { homedir } from 'node:os';
import { join } from 'node:path';

/** SLIPSTREAM_HOME, or a folder of the user's. */
export function homeFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const named = environment['SLIPSTREAM_HOME'];
  if (named !== undefined && named !== '') return named;
  const runtime = environment['XDG_RUNTIME_DIR'];
  if (runtime !== undefined && runtime !== '') return join(runtime, 'slipstream');
  return join(homedir(), '.slipstream');
}

/** The home of the host that programs start in the background: below theirs, so that other hosts keep apart. */
export function backgroundHome(home: string): string {
  return join(home, 'background');
}

/** Where hosts of root keep the sockets of users that may claim something. */
export function reservationFolder(environment: NodeJS.ProcessEnv = process.env): string {
  return environment['SLIPSTREAM_RESERVATIONS'] || '/run/slipstream';
}
