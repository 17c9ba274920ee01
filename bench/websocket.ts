// WebSocket echo: messages/s through the front, with ws on node:http alone, and through nginx.

import { createConnection, type Socket } from 'node:net';
import { createRequire } from 'node:module';
import { allContenders, stopAll } from './contender.ts';
import { interleave, judgementTable, markdownTable, median, say, type Benchmark } from './measure.ts';

const CONNECTIONS = 32;
/** Messages under way on each connection. */
const DEPTH = 16;
const PAYLOAD_BYTES = 64;

const PROGRAM = `
const { WebSocketServer } = require(${JSON.stringify(createRequire(import.meta.url).resolve('ws'))});
const server = require('node:http').createServer((request, response) => response.end('up'));
new WebSocketServer({ server }).on('connection', (socket) => {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
});
server.listen(process.env.PORT);
`;

/** A masked binary message; RFC 6455 5.2. The mask of zeros leaves the payload as it is. */
function message(): Buffer {
  const head = Buffer.from([0x82, 0x80 | PAYLOAD_BYTES, 0, 0, 0, 0]);
  return Buffer.concat([head, Buffer.alloc(PAYLOAD_BYTES, 'x')]);
}

const ECHO_BYTES = 2 + PAYLOAD_BYTES;

function handshake(url: URL): string {
  return [
    `GET ${url.pathname} HTTP/1.1`,
    `Host: ${url.host}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${Buffer.alloc(16, 'k').toString('base64')}`,
    '\r\n',
  ].join('\r\n');
}

/** Echoes on all connections for `seconds`; messages/s. */
function echoRate(address: string, seconds: number): Promise<number> {
  const url = new URL(address);
  const one = message();
  const many = Array.from({ length: DEPTH + 1 }, (_, count) => Buffer.concat(Array(count).fill(one)));
  const sockets: Socket[] = [];
  let echoed = 0;
  return new Promise((resolve, reject) => {
    const startMs = performance.now();
    const finish = (): void => {
      for (const socket of sockets) socket.removeAllListeners('close').destroy();
      resolve(echoed / ((performance.now() - startMs) / 1000));
    };
    const timer = setTimeout(finish, seconds * 1000);
    const fail = (error: Error): void => {
      clearTimeout(timer);
      for (const socket of sockets) socket.removeAllListeners('close').destroy();
      reject(error);
    };
    for (let count = 0; count < CONNECTIONS; count++) {
      const socket = createConnection({ host: url.hostname, port: Number(url.port), noDelay: true });
      sockets.push(socket);
      let head: string | undefined = '';
      let bytes = 0;
      socket.write(handshake(url));
      socket.on('data', (chunk) => {
        if (head === undefined) {
          bytes += chunk.length;
        } else {
          head += chunk.toString('latin1');
          const end = head.indexOf('\r\n\r\n');
          if (end === -1) return;
          if (!head.startsWith('HTTP/1.1 101 ')) fail(new Error(`refused: ${head.slice(0, end)}`));
          bytes = head.length - end - 4;
          head = undefined;
          socket.write(many[DEPTH]!);
        }
        const whole = Math.floor(bytes / ECHO_BYTES);
        if (whole === 0) return;
        bytes -= whole * ECHO_BYTES;
        echoed += whole;
        for (let left = whole; left > 0; left -= DEPTH) socket.write(many[Math.min(left, DEPTH)]!);
      });
      socket.on('error', fail);
      socket.on('close', () => fail(new Error('the server closed a WebSocket')));
    }
  });
}

/** Messages/s against ws alone. */
export const benchWebsocket: Benchmark = async ({ rounds, seconds }) => {
  const contenders = await allContenders(PROGRAM);
  try {
    for (const contender of contenders) await echoRate(contender.url, 2);
    const results = await interleave(contenders, rounds, async (contender) => {
      const rate = await echoRate(contender.url, seconds);
      say(`${contender.name}: ${Math.round(rate)} messages/s`);
      return rate;
    });
    const rows = contenders.map((contender) => [
      contender.name,
      String(Math.round(median(results.get(contender)!))),
    ]);
    const [ours, alone] = contenders.map((contender) => results.get(contender)!);
    const value = median(ours!.map((rate, index) => rate / alone![index]!));
    const judgement = { what: 'messages/s ÷ ws on node:http alone', value, atLeast: 0.8 };
    return `${markdownTable(['served by', 'messages/s'], rows)}\n${judgementTable([judgement])}`;
  } finally {
    await stopAll(contenders);
  }
};
