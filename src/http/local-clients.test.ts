import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { Origin } from '../wire/link-messages.ts';
import { LocalClients } from './local-clients.ts';
import type { RequestHead } from './request-head.ts';

const HEAD = { version: 11, fields: ['Host', 'localhost'] } as unknown as RequestHead;
const OWN = process.getuid?.() ?? 0;

function origin(port: number): Origin {
  const ends = { remoteAddress: '127.0.0.1', remotePort: port, localAddress: '127.0.0.1', localPort: 0x1f90 };
  return { ...ends, encrypted: false };
}

function row(port: number, user: number): string {
  const from = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const state = '01 00000000:00000000 00:00000000 00000000';
  return `   3: ${from} 0100007F:1F90 ${state}  ${user}        0 7 1 0 20 4 30 10 -1\n`;
}

/** Reads what `rows` holds at the time, and counts. */
function clients(): { clients: LocalClients; rows: string[]; reads: () => number } {
  const rows: string[] = [];
  let reads = 0;
  const read = (): string => {
    reads++;
    return rows.join('');
  };
  return { clients: new LocalClients(read), rows, reads: () => reads };
}

test('the tables are read once for all connections that are asked of in one callback', async () => {
  const { clients: local, rows, reads } = clients();
  const origins = Array.from({ length: 500 }, (_, index) => origin(40_000 + index));
  rows.push(...origins.map(({ remotePort }) => row(remotePort, OWN)));
  for (const one of origins) assert.equal(local.isLocal(HEAD, one), true);
  assert.equal(reads(), 1);
  await new Promise(setImmediate);
  for (const one of origins) assert.equal(local.isLocal(HEAD, one), true);
  assert.equal(reads(), 1, 'of a connection it is known');
});

test('a later connection is looked for anew, also with the ends of one that was there before', async () => {
  const { clients: local, rows, reads } = clients();
  rows.push(row(40_000, OWN));
  assert.equal(local.isLocal(HEAD, origin(40_000)), true);
  await new Promise(setImmediate);
  rows[0] = row(40_000, OWN + 1);
  assert.equal(local.isLocal(HEAD, origin(40_000)), false);
  assert.equal(reads(), 2);
});

test('nothing is read of who is elsewhere, came through a proxy or speaks HTTP/1.0', () => {
  const { clients: local, reads } = clients();
  const own = origin(40_000);
  assert.equal(local.isLocal(HEAD, { ...own, remoteAddress: '192.0.2.1' }), false);
  assert.equal(local.isLocal(HEAD, { ...own, relayed: true }), false);
  assert.equal(local.isLocal({ ...HEAD, fields: [...HEAD.fields, 'X-Forwarded-For', '192.0.2.1'] }, own), false);
  assert.equal(local.isLocal({ ...HEAD, version: 10 }, own), false);
  assert.equal(local.isLocal(null, own), false);
  assert.equal(reads(), 0);
});
