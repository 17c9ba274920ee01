// Sockets that whoever started the host has bound for it, as systemd's socket units do (sd_listen_fds): descriptors
// from 3 on, counted by LISTEN_FDS, for the process that LISTEN_PID names. They outlive the host: while it is started
// again connections wait in them instead of being refused. A listener of the same address and port takes one.

import * as net from 'node:net';
import type { BoundHandle } from './listen-origin.ts';

const FIRST_DESCRIPTOR = 3;
const SOCKETS_MAX = 64;

/** An open descriptor as a handle. Node has no public way to that without accepting. */
export type OpenDescriptor = (descriptor: number) => BoundHandle | number;

interface Inherited {
  handle: BoundHandle;
  address: string;
  port: number;
}

/** See the head of this file. */
export class InheritedSockets {
  readonly #left: Inherited[] = [];

  /** Takes the variables out of `environment`: they are for this process only. */
  constructor(environment: NodeJS.ProcessEnv, pid: number, open: OpenDescriptor = openDescriptor) {
    const isForUs = environment['LISTEN_PID'] === String(pid);
    const count = isForUs ? Math.min(SOCKETS_MAX, Number(environment['LISTEN_FDS']) || 0) : 0;
    for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete environment[name];
    for (let index = 0; index < count; index++) {
      const handle = open(FIRST_DESCRIPTOR + index);
      if (typeof handle === 'number') continue;
      const name: { address?: string; port?: number } = {};
      const { address, port } = handle.getsockname(name) === 0 ? name : {};
      if (address === undefined || port === undefined) handle.close();
      else this.#left.push({ handle, address, port });
    }
  }

  /** The socket for an address, once. */
  take(address: string, port: number): BoundHandle | undefined {
    const index = this.#left.findIndex((one) => one.port === port && one.address === address);
    return index < 0 ? undefined : this.#left.splice(index, 1)[0]!.handle;
  }

  /** Those that no listener took: nobody accepts there. */
  get unused(): string[] {
    return this.#left.map(({ address, port }) => `${address.includes(':') ? `[${address}]` : address}:${port}`);
  }
}

function openDescriptor(descriptor: number): BoundHandle | number {
  type Create = (address: null, port: null, type: null, fd: number, flags: number) => BoundHandle | number;
  const create = (net as unknown as { _createServerHandle: Create })._createServerHandle;
  try {
    const handle = create(null, null, null, descriptor, 0);
    // A Unix socket has no port.
    return typeof handle === 'number' || 'getsockname' in handle ? handle : -1;
  } catch {
    return -1; // No socket at all.
  }
}
