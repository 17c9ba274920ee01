// What the cluster module of node expects of a worker whose servers do not listen through the primary: that
// 'listening' is told, and that a disconnect closes them. And the way of the key to workers of a hosted app.

import type { ChildProcess, ForkOptions } from 'node:child_process';
import type { Cluster } from 'node:cluster';
import type { AddressInfo, Server } from 'node:net';

function loadCluster(): Cluster {
  return process.getBuiltinModule('node:cluster') as unknown as Cluster;
}

/** True in a worker process of node's cluster module. */
export function isClusterWorker(): boolean {
  // Workers have a channel to their primary; without one the module need not be loaded.
  return process.channel !== undefined && loadCluster().isWorker;
}

/** Tells the primary, as node does, that a server of this worker listens. */
export function tellListening(server: Server): void {
  const address = server.address() as AddressInfo | null;
  if (address === null || !process.connected) return;
  process.send?.({
    cmd: 'NODE_CLUSTER',
    act: 'listening',
    address: address.address,
    port: address.port,
    addressType: address.family === 'IPv6' ? 6 : 4,
    fd: undefined,
  });
}

/** Closes `servers()` when the worker is told to disconnect, or does so itself. */
export function closeOnDisconnect(servers: () => Iterable<Server>): void {
  const close = (): void => {
    for (const server of [...servers()]) server.close();
  };
  const { worker } = loadCluster();
  if (worker === undefined) return;
  const disconnect = worker.disconnect;
  worker.disconnect = function (this: typeof worker) {
    close();
    return disconnect.call(this);
  };
  const emitter = process as NodeJS.EventEmitter;
  emitter.on('internalMessage', (message: { cmd?: unknown; act?: unknown } | null) => {
    if (message?.cmd === 'NODE_CLUSTER' && message.act === 'disconnect') close();
  });
}

/** Gives workers that the program forks the key of this hosted process: they serve the same app. */
export function handKeyOn(key: string): void {
  // The cluster module takes `fork` from here when it is loaded; loading it for nothing would cost each app.
  const childProcess = process.getBuiltinModule('node:child_process');
  const fork = childProcess.fork as (path: unknown, args?: unknown, options?: ForkOptions) => ChildProcess;
  const forkWithKey: typeof fork = (path, args, options) => {
    const isWorker = options?.env?.['NODE_UNIQUE_ID'] !== undefined;
    return fork(path, args, isWorker ? { ...options, env: { ...options.env, SLIPSTREAM_KEY: key } } : options);
  };
  childProcess.fork = forkWithKey as typeof childProcess.fork;
}
