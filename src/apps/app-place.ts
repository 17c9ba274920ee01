// Who runs a process of an app, and where that user reaches the host.

import type { App } from './app-config.ts';
import type { ProcessOptions } from './app-process.ts';
import { userOf } from './app-user.ts';
import type { RecycleWishes } from './recycle-wishes.ts';
import { messageOf } from '../base/host-error.ts';

/** Sockets that only one user can open. */
export interface OtherSockets {
  /** SLIPSTREAM_FRONTS. */
  fronts: string;
  /** A folder that only the host can change, for the sockets of wishes. */
  folder: string;
}

/** What {@link placeFor} needs. */
export interface PlaceOptions {
  /** SLIPSTREAM_FRONTS for the user of the host. */
  fronts: string;
  socketsOf?(uid: number): OtherSockets | undefined;
  wishes: RecycleWishes | undefined;
  /** Of a debuggee. */
  inspector: 'port' | 'thread' | undefined;
}

/** See the head of this file; or why there can be no process. */
export function placeFor(
  app: App,
  { fronts, socketsOf, wishes, inspector }: PlaceOptions,
): Pick<ProcessOptions, 'fronts' | 'wishSocket' | 'user' | 'problem'> {
  const withWishes = (other?: { folder: string; uid: number }): { wishSocket?: string } =>
    wishes === undefined ? {} : { wishSocket: wishes.socketFor(app, other) };
  try {
    const user = userOf(app.settings);
    if (user === undefined || user.uid === process.getuid?.()) return { fronts, user, ...withWishes() };
    const sockets = socketsOf?.(user.uid);
    if (sockets === undefined) {
      return { fronts, problem: `user "${user.name}" is new to this host: it holds after a restart (user)` };
    }
    // Its inspector would need a folder that both can change.
    const problem =
      inspector === 'thread'
        ? 'an app with a `user` is debugged over a port only (debuggerTransport: port), or while it runs (?live)'
        : undefined;
    return { fronts: sockets.fronts, user, problem, ...withWishes({ folder: sockets.folder, uid: user.uid }) };
  } catch (error) {
    return { fronts, problem: messageOf(error) };
  }
}
