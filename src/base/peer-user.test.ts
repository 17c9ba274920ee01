import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { connectionTables, userOfPeer, type ConnectionEnds } from './peer-user.ts';

const HEAD = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';

function row(from: string, to: string, { state = '01', uid = 1000, inode = 7 } = {}): string {
  const rest = `${uid}        0 ${inode} 1 0 20 4 30 10 -1`;
  return `   3: ${from} ${to} ${state} 00000000:00000000 00:00000000 00000000  ${rest}`;
}

const ENDS = { remoteAddress: '127.0.0.1', remotePort: 0xc350, localAddress: '127.0.0.1', localPort: 0x1f90 };
const FROM = '0100007F:C350';
const TO = '0100007F:1F90';

test('the user of a client is that of the socket with the ends of the connection, the other way around', () => {
  const tables = [HEAD, row(TO, FROM, { uid: 0 }), row('0100007F:C351', TO, { uid: 1 }), row(FROM, TO)].join('\n');
  assert.equal(userOfPeer(ENDS, tables), 1000);
  assert.equal(userOfPeer({ ...ENDS, remotePort: 0xc351 }, tables), 1);
  assert.equal(userOfPeer({ ...ENDS, remotePort: 0xc352 }, tables), 'nobody');
  assert.equal(userOfPeer({ ...ENDS, remoteAddress: '127.0.0.2' }, tables), 'nobody');
});

test('a client of IPv6, and one of IPv4 on a socket of IPv6, are found', () => {
  const ip6 = '00000000000000000000000001000000';
  const ends = { ...ENDS, remoteAddress: '::1', localAddress: '::1' };
  assert.equal(userOfPeer(ends, row(`${ip6}:C350`, `${ip6}:1F90`)), 1000);
  const mapped = '0000000000000000FFFF00000100007F';
  assert.equal(userOfPeer(ENDS, row(`${mapped}:C350`, `${mapped}:1F90`)), 1000);
  const shown = { ...ENDS, remoteAddress: '::ffff:127.0.0.1', localAddress: '::ffff:127.0.0.1' };
  assert.equal(userOfPeer(shown, row(FROM, TO)), 1000);
});

test('a socket that its process closed is nobody\'s', () => {
  assert.equal(userOfPeer(ENDS, row(FROM, TO, { state: '05', uid: 0 })), 'nobody');
  assert.equal(userOfPeer(ENDS, row(FROM, TO, { inode: 0, uid: 0 })), 'nobody');
});

test('without tables nothing is known of a socket', () => {
  assert.equal(userOfPeer(ENDS, ''), 'unknown');
});

async function endsOf(t: TestContext, address: string): Promise<ConnectionEnds> {
  const server = createServer().listen(0, address);
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, address);
  const [accepted] = (await once(server, 'connection')) as [Socket];
  t.after(() => {
    client.destroy();
    accepted.destroy();
    server.close();
  });
  const { remoteAddress = '', remotePort = 0, localAddress = '', localPort = 0 } = accepted;
  return { remoteAddress, remotePort, localAddress, localPort };
}

const skip = process.platform === 'linux' ? false : 'only Linux tells';

test('a real connection of this process is its own', { skip }, async (t) => {
  for (const address of ['127.0.0.1', '::1']) {
    assert.equal(userOfPeer(await endsOf(t, address), connectionTables()), process.getuid!(), address);
  }
});
