// What a host holds of the system before it starts anything: sockets and folders.

import { parsePortRange, type HostConfig } from './host-config.ts';
import type { JoinPrefix } from './claims.ts';
import { unusedSockets, type BoundListener } from './listen-origin.ts';
import { Listeners } from './listeners.ts';
import type { Log } from '../base/log.ts';
import { homeFolder, makeRunFolder } from './run-folder.ts';
import { makeReserved, type Reserved } from './user-sockets.ts';

/** See the head of this file. */
export interface Bound {
  listeners: Listeners;
  /** Of the debuggers alone. */
  debuggers: Listeners;
  /** All of the two. */
  readonly all: BoundListener[];
  run: { folder: string; remove: () => void };
  reserved: Reserved;
  /** Of inspectors. */
  portRange: { start: number; end: number };
  closeListeners(): void;
}

/** @throws HostError OPTION_INVALID, CONFIG_INVALID, LISTEN_FAILED, HOME_UNSAFE; nothing is held then. */
export function bindHost(
  root: string,
  config: HostConfig,
  parsePrefix: (text: string) => JoinPrefix,
  log: Log,
): Bound {
  const portRange = parsePortRange(config.host.debuggerPortRange);
  const made: Listeners[] = [];
  const closeListeners = (): void => made.forEach((listeners) => listeners.close());
  const listening = (texts: readonly string[]): Listeners => {
    const listeners = new Listeners(texts);
    made.push(listeners);
    return listeners;
  };
  try {
    const [listeners, debuggers] = [listening(config.host.listen), listening(config.host.debuggerListen)];
    const hint = 'nobody accepts there: name it in listen, or take it out of the socket unit';
    for (const place of unusedSockets()) log.warn('socket-unused', { place, hint });
    return {
      listeners,
      debuggers,
      get all() {
        return [...listeners.bound, ...debuggers.bound];
      },
      reserved: makeReserved(config, parsePrefix),
      run: makeRunFolder(homeFolder(), root),
      portRange,
      closeListeners,
    };
  } catch (error) {
    closeListeners();
    throw error;
  }
}
