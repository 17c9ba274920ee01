import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as net from 'node:net';
import { test } from 'node:test';
import { keep, LENT_BYTES, readLent, SPARE_BUFFERS_MAX, type KeptBytes } from './lent-reads.ts';

/** A server whose sockets read into lent buffers, and clients of it. */
async function withLinks(
  take: (buffer: Buffer, length: number) => void,
  body: (connect: () => Promise<net.Socket>) => Promise<void>,
): Promise<void> {
  const sockets: net.Socket[] = [];
  const server = net.createServer((socket) => {
    sockets.push(socket);
    assert.equal(readLent(socket, take), true, 'this version of node has what lent reads need');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const connect = async (): Promise<net.Socket> => {
    const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
    sockets.push(client);
    await once(client, 'connect');
    return client;
  };
  try {
    await body(connect);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  }
}

/** Writes pieces, each when the one before was read. */
async function send(client: net.Socket, sizes: readonly number[], read: () => number): Promise<void> {
  for (const [index, size] of sizes.entries()) {
    const before = read();
    client.write(Buffer.alloc(size, index + 1));
    while (read() < before + size) await new Promise((resolve) => setImmediate(resolve));
  }
}

test('a lent buffer is read into again when nobody keeps bytes of it', async () => {
  const buffers = new Set<Buffer>();
  let bytes = 0;
  const take = (buffer: Buffer, length: number): void => {
    buffers.add(buffer);
    bytes += length;
    const { bytes: small, release } = keep(buffer.subarray(0, Math.min(length, 1000)));
    assert.equal(release, null, 'few bytes are copied');
    assert.notEqual(small.buffer, buffer.buffer);
  };
  await withLinks(take, async (connect) => {
    await send(await connect(), [1, 100_000, 2000, 50_000], () => bytes);
    assert.equal(buffers.size, 1);
    assert.equal([...buffers][0]!.length, LENT_BYTES);
  });
});

test('bytes that are kept stay as they are until they are released, and the buffer is used again then', async () => {
  const buffers: Buffer[] = [];
  const kept: { value: number; keeping: KeptBytes }[] = [];
  let bytes = 0;
  const take = (buffer: Buffer, length: number): void => {
    bytes += length;
    if (buffers.at(-1) !== buffer) buffers.push(buffer);
    kept.push({ value: buffer[0]!, keeping: keep(buffer.subarray(0, length)) });
  };
  await withLinks(take, async (connect) => {
    const client = await connect();
    await send(client, Array.from({ length: 40 }, () => 20_000), () => bytes);
    for (const { value, keeping } of kept) assert.ok(keeping.bytes.every((byte) => byte === value));
    // One of the link, and those that are spare: for all else there are copies.
    assert.ok(new Set(buffers).size <= SPARE_BUFFERS_MAX + 1);
    const isLent = ({ keeping }: { keeping: KeptBytes }): boolean => keeping.release !== null;
    assert.ok(kept.some(isLent) && !kept.every(isLent));
    for (const { keeping } of kept) keeping.release?.();
    const before = new Set(buffers);
    kept.length = 0;
    buffers.length = 0;
    await send(client, [20_000, 20_000, 20_000], () => bytes);
    assert.ok(buffers.every((buffer) => before.has(buffer)), 'nothing new is needed');
    for (const { keeping } of kept) keeping.release?.();
  });
});

test('what was kept outlives its link', async () => {
  const kept: KeptBytes[] = [];
  let bytes = 0;
  const take = (buffer: Buffer, length: number): void => {
    bytes += length;
    kept.push(keep(buffer.subarray(0, length)));
  };
  await withLinks(take, async (connect) => {
    const first = await connect();
    await send(first, [30_000], () => bytes);
    first.destroy();
    const second = await connect();
    await send(second, [30_000, 30_000, 30_000], () => bytes);
    assert.ok(kept[0]!.bytes.every((byte) => byte === 1));
    for (const { release } of kept) release?.();
  });
});

test('bytes of others are kept as they are', () => {
  const slice = Buffer.alloc(100_000);
  assert.deepEqual(keep(slice), { bytes: slice, release: null });
});
