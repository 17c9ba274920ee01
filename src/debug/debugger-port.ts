// Which port the next inspector gets: round robin over a range, busy ones skipped. A port is tested by
// binding it on 127.0.0.1 and letting it go again; it stays reserved here until `release`, so that two
// debuggees that start at once never share one.

import { createServer } from 'node:net';
import { HostError } from '../base/host-error.ts';

/** Hands out ports of one range. */
export interface DebuggerPorts {
  /**
   * The next free port. It is the caller's until {@link DebuggerPorts.release}.
   * @throws HostError DEBUGGER_PORTS_EXHAUSTED after a full circle.
   */
  acquire(): Promise<number>;
  /** Gives a port back. The cursor stays where it is: a port comes again only after all others. */
  release(port: number): void;
}

/** True when this port of 127.0.0.1 can be bound now. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** Ports from `start` to `end`, both included. `isFree` is replaced in tests. */
export function createDebuggerPorts(
  range: { start: number; end: number },
  isFree: (port: number) => Promise<boolean> = isPortFree,
): DebuggerPorts {
  const reserved = new Set<number>();
  const count = range.end - range.start + 1;
  let cursor = range.start;
  const advance = (): number => {
    const port = cursor;
    cursor = cursor >= range.end ? range.start : cursor + 1;
    return port;
  };
  return {
    async acquire() {
      for (let tries = 0; tries < count; tries++) {
        const port = advance();
        if (reserved.has(port)) continue;
        reserved.add(port);
        if (await isFree(port)) return port;
        reserved.delete(port);
      }
      throw new HostError(
        'DEBUGGER_PORTS_EXHAUSTED',
        `no port from ${range.start} to ${range.end} is free on 127.0.0.1 (debuggerPortRange)`,
      );
    },
    release: (port) => void reserved.delete(port),
  };
}
