// Makes the servers of this process reachable, by what the environment says (docs/ARCHITECTURE.md §1). In a
// hosted process it takes the key out of the program's sight, dials the fronts and patches `listen`; in one
// that somebody else started it patches `listen` to look for a host. Worker threads are left alone.

import { delimiter } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { homeFolder, reservationFolder } from '../base/home-folder.ts';
import { INSPECTOR_DOOR_VARIABLE, type InspectorDoor } from '../wire/inspector-messages.ts';
import { CachePurger, offerPurge } from './cache-purge.ts';
import { closeOnDisconnect, handKeyOn, isClusterWorker, tellListening } from './cluster-worker.ts';
import { handDebuggerOn, offerToDebugger } from './debug-children.ts';
import { readEnvFile } from './env-file.ts';
import type { ExchangeSocket } from './exchange-socket.ts';
import { HostJoin, type HostStart } from './host-join.ts';
import { FrontLinks } from './host-link.ts';
import { readIisnodeTraits } from './iisnode-traits.ts';
import type { FrontLinksOptions } from './host-link.ts';
import { openInspectorDoor } from './inspector-door.ts';
import { patchJoin } from './join-listen.ts';
import { offerRecycleWish } from './recycle-wish.ts';
import { refuseLinkedHandles } from './sent-handles.ts';
import { hearStopMessage } from './stop-message.ts';
import { AppListen, isListenPatched, patchListen } from './server-listen.ts';
import { exchangeFrames } from './serve-exchange.ts';

const GRACE_MS = 2000;
const GRACE_MS_MAX = 3_600_000;

/** SLIPSTREAM_JOIN -> when a host is started. `off` joins nothing. */
const HOST_STARTS: Readonly<Record<string, HostStart>> = { found: 'never', prefix: 'prefix', start: 'always' };

function graceMsOf(text: string | undefined): number {
  const value = Number(text);
  return text !== undefined && value >= 0 && value <= GRACE_MS_MAX ? value : GRACE_MS;
}

/** The process has no front and no hope of one: it must not be left behind. */
function endAbandoned(graceMs: number, reason: string): void {
  process.stderr.write(`slipstream: no front reachable for ${graceMs} ms (${reason}); the process ends\n`);
  process.exit(0);
}

/**
 * Prepares a debuggee, if this is one. One whose port was taken in the last moment would run on without its
 * breakpoints: it ends before the program's first line instead; node has said why on stderr, and the host starts it
 * on another port. One without a port waits here until its session is there.
 */
function startDebuggee(linkSocket: string, env: NodeJS.ProcessEnv): void {
  const door = env[INSPECTOR_DOOR_VARIABLE];
  delete env[INSPECTOR_DOOR_VARIABLE];
  const hasPort = process.execArgv.some((word) => word.startsWith('--inspect'));
  // Whoever opens the inspector later gets a free port: many processes would meet at the usual one.
  if (!hasPort) process.debugPort = 0;
  if ((!hasPort && door === undefined) || isClusterWorker()) return;
  if (hasPort && process.getBuiltinModule('node:inspector').url() === undefined) process.exit(1);
  if (door !== undefined) openInspectorDoor(JSON.parse(door) as InspectorDoor);
  // The session has made its folder by now.
  handDebuggerOn(linkSocket, env);
}

/**
 * Installs the drop-in in the main thread. True when it is installed, by this call or before. A child that a
 * hosted program starts has no key of its own and stays an ordinary process, workers of `cluster` excepted.
 */
export function installHosted(env: NodeJS.ProcessEnv = process.env): boolean {
  if (isListenPatched()) return true;
  if (!isMainThread) return false;
  offerToDebugger(env);
  const paths = (env['SLIPSTREAM_FRONTS'] ?? '').split(delimiter).filter((path) => path !== '');
  const key = env['SLIPSTREAM_KEY'];
  if (paths.length > 0 && key !== undefined) {
    delete env['SLIPSTREAM_KEY'];
    hearStopMessage(env);
    readIisnodeTraits(env);
    readEnvFile(env);
    startDebuggee(paths[0]!, env);
    const appSocket = env['SLIPSTREAM_WISH'];
    offerRecycleWish(appSocket);
    delete env['SLIPSTREAM_WISH'];
    serveApp({ paths, key, appSocket }, env);
    refuseLinkedHandles();
    return true;
  }
  if (paths.length > 0 || env['SLIPSTREAM_JOIN'] === 'off') return false;
  const start = HOST_STARTS[env['SLIPSTREAM_JOIN'] ?? ''] ?? 'http';
  patchJoin(new HostJoin(homeFolder(env), reservationFolder(env), start));
  refuseLinkedHandles();
  return true;
}

/** How long this process lives without a front: somebody may have opened its inspector meanwhile. */
function graceOf(env: NodeJS.ProcessEnv): () => number {
  const graceMs = graceMsOf(env['SLIPSTREAM_GRACE_MS']);
  const inspected = env['SLIPSTREAM_INSPECTED_GRACE_MS'];
  const inspectedMs = inspected === undefined ? graceMs : graceMsOf(inspected);
  // Loaded when it matters only.
  const isInspected = (): boolean => process.getBuiltinModule('node:inspector').url() !== undefined;
  return () => (isInspected() ? Math.max(graceMs, inspectedMs) : graceMs);
}

/** Joins a hosted process to its fronts. */
function serveApp(
  { paths, key, appSocket }: { paths: readonly string[]; key: string; appSocket: string | undefined },
  env: NodeJS.ProcessEnv,
): void {
  const options: FrontLinksOptions<ExchangeSocket> = {
    paths,
    key,
    graceMs: graceOf(env),
    frames: exchangeFrames(() => appListen.server),
    onWelcome: (link) => purger.welcomed(link),
    onPurged: (answer, link) => purger.purged(answer, link),
    onAbandoned: (reason, graceMs) => endAbandoned(graceMs, reason),
  };
  const title = env['SLIPSTREAM_APP'];
  if (title !== undefined) options.title = title;
  const links = new FrontLinks(options);
  const purger = new CachePurger(() => links.purgeLinks);
  offerPurge((purge) => purger.purge(purge));
  const isWorker = isClusterWorker();
  const appListen = new AppListen(links, env['PORT'], (server) => {
    if (isWorker) server.once('listening', () => tellListening(server));
  });
  patchListen(appListen, isWorker ? undefined : appSocket);
  if (isWorker) closeOnDisconnect(() => appListen.servers);
  else handKeyOn(key);
  process.on('exit', () => links.flush());
  links.start();
}
