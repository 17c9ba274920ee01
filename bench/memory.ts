// Resident memory of host and front: idle, and with 10 000 idle kept-alive connections.

import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import { startHost } from '../test/host-fixture.ts';
import { residentMb } from './contender.ts';
import { HELLO } from './hello.ts';
import { judgementTable, markdownTable, say, type Benchmark } from './measure.ts';

const CONNECTIONS = 10_000;
const AT_A_TIME = 100;
const SETTLE_MS = 1500;

/** A connection that was answered once and is kept. */
async function idleConnection(port: number): Promise<Socket> {
  const socket = createConnection({ host: '127.0.0.1', port });
  await once(socket, 'connect');
  socket.write(`GET /app/ HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
  await once(socket, 'data');
  socket.on('error', () => socket.destroy());
  return socket;
}

/** MB of host, front and app before and after. */
export const benchMemory: Benchmark = async () => {
  const host = await startHost({ files: { 'app/server.js': HELLO } });
  const sockets: Socket[] = [];
  try {
    const sizes = (): Record<string, number> => {
      const pids = new Map(host.processes().map(({ role, pid }) => [role, pid]));
      const of = (role: 'front' | 'app'): number => (pids.has(role) ? residentMb(pids.get(role)!) : 0);
      return { host: residentMb(host.pid), front: of('front'), app: of('app') };
    };
    const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    await settle();
    const idle = sizes();
    sockets.push(await idleConnection(host.port));
    await settle();
    const served = sizes();
    while (sockets.length < CONNECTIONS) {
      const some = Array.from({ length: AT_A_TIME }, () => idleConnection(host.port));
      sockets.push(...(await Promise.all(some)));
    }
    await settle();
    const loaded = sizes();
    say(`${sockets.filter((socket) => !socket.destroyed).length} connections are open`);
    const row = (name: string, values: Record<string, number>): string[] => [
      name,
      ...['host', 'front', 'app'].map((process) => (values[process] ?? 0).toFixed(1)),
    ];
    const table = markdownTable(
      ['MB resident', 'host', 'front', 'app'],
      [row('idle', idle), row('one app served', served), row(`${CONNECTIONS} idle connections`, loaded)],
    );
    const both = (values: Record<string, number>): number => values['host']! + values['front']!;
    return `${table}\n${judgementTable([
      { what: 'host + front, idle', value: both(idle), atMost: 110, unit: ' MB' },
      {
        what: `host + front, more for ${CONNECTIONS} idle connections`,
        value: both(loaded) - both(served),
        atMost: 80,
        unit: ' MB',
      },
    ])}`;
  } finally {
    for (const socket of sockets) socket.destroy();
    await host.stop();
  }
};
