// Where the next debuggee has its inspector: on a port of the range, or on a private socket of its own.

import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { InspectorAddress } from '../wire/inspector-messages.ts';
import { createDebuggerPorts } from './debugger-port.ts';
import { askInspector } from './inspector-ready.ts';

/** Hands out addresses. */
export interface InspectorAddresses {
  /**
   * The next free one. It is the caller's until `release`.
   * @throws HostError DEBUGGER_PORTS_EXHAUSTED
   */
  acquire(): Promise<InspectorAddress>;
  release(address: InspectorAddress): void;
}

/** Ports of a range, both ends included. */
export function portAddresses(range: { start: number; end: number }): InspectorAddresses {
  const ports = createDebuggerPorts(range);
  return {
    acquire: async () => ({ kind: 'port', port: await ports.acquire() }),
    release(address) {
      if (address.kind === 'port') ports.release(address.port);
    },
  };
}

/** Sockets in a folder that only the host's user may enter. No number comes twice. */
export function threadAddresses(folder: string): InspectorAddresses {
  let last = 0;
  return {
    acquire() {
      const name = `d${++last}.sock`;
      const path = process.platform === 'win32' ? `\\\\.\\pipe\\slipstream-${process.pid}-${name}` : join(folder, name);
      return Promise.resolve({ kind: 'thread', path });
    },
    release(address) {
      if (address.kind === 'thread' && process.platform !== 'win32') rmSync(address.path, { force: true });
    },
  };
}

/** True when an inspector is there now. Takes no session. */
export async function isInspectorThere(address: InspectorAddress): Promise<boolean> {
  if (address.kind === 'thread') return existsSync(address.path);
  return (await askInspector(address.port, '/json/version')) !== null;
}

/** For people. */
export function describeAddress(address: InspectorAddress): string {
  return address.kind === 'port' ? `port ${address.port}` : 'its own thread';
}
