// A program that uses what node's http has for servers, and says what it saw. It runs twice, alone and behind a front
// (57-drop-in.test.ts), and has to see the same. Its word is what it listens on; each path is a scene.

import { AsyncLocalStorage } from 'node:async_hooks';
import * as diagnostics from 'node:diagnostics_channel';
import * as http from 'node:http';
import type { Duplex } from 'node:stream';
import { PerformanceObserver } from 'node:perf_hooks';

type Scene = (request: http.IncomingMessage, response: http.ServerResponse) => unknown;

class Request extends http.IncomingMessage {
  get isOurs(): boolean {
    return this instanceof Request;
  }
}
class Response extends http.ServerResponse {
  json(value: unknown): void {
    this.setHeader('Content-Type', 'application/json');
    this.end(JSON.stringify(value));
  }
}

/** What happened beside the answers, by name, with how often. */
const counted = new Map<string, number>();
function count(name: string): void {
  counted.set(name, (counted.get(name) ?? 0) + 1);
}

const storage = new AsyncLocalStorage<string>();
const server = http.createServer({ IncomingMessage: Request, ServerResponse: Response } as http.ServerOptions);

for (const name of ['http.server.request.start', 'http.server.response.created', 'http.server.response.finish']) {
  diagnostics.subscribe(name, (message) => {
    const { request, response } = message as { request: http.IncomingMessage; response: http.ServerResponse };
    count(`${name} ${request.url} ${response instanceof http.ServerResponse}`);
  });
}
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    const { req, res } = (entry as unknown as { detail: { req: { url: string }; res: { statusCode: number } } }).detail;
    count(`${entry.name} ${req.url} ${res.statusCode}`);
  }
}).observe({ entryTypes: ['http'] });

async function bodyOf(request: http.IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of request.setEncoding('latin1')) text += piece as string;
  return text;
}

/** Swaps the prototypes as Express does. */
function swap(request: http.IncomingMessage, response: http.ServerResponse): { send(value: unknown): void } {
  const swapped = Object.create(http.IncomingMessage.prototype, {
    place: { get(this: http.IncomingMessage) { return `${this.method} ${this.url}`; } },
  }) as object;
  const sender = Object.create(http.ServerResponse.prototype) as { send(value: unknown): void };
  sender.send = function send(this: http.ServerResponse, value: unknown) { this.end(JSON.stringify(value)); };
  Object.setPrototypeOf(request, swapped);
  return Object.setPrototypeOf(response, sender) as { send(value: unknown): void };
}

const names = (value: object, wanted: readonly string[]): Record<string, unknown> =>
  Object.fromEntries(wanted.map((name) => [name, (value as Record<string, unknown>)[name]]));

const scenes: Record<string, Scene> = {
  '/classes': (request, response) => (response as Response).json([
    server instanceof http.Server, request instanceof http.IncomingMessage, request instanceof Request,
    (request as Request).isOurs, response instanceof http.ServerResponse, response instanceof http.OutgoingMessage,
    request.constructor.name, response.constructor.name, response.req === request,
  ]),
  '/swapped': (request, response) => {
    const { send } = swap(request, response);
    send.call(response, [(request as unknown as { place: string }).place, request.headers.host]);
  },
  '/head': (request, response) => {
    // Between the client and the front.
    const { connection: _, ...headers } = request.headers;
    const { connection: __, ...distinct } = request.headersDistinct;
    const at = request.rawHeaders.indexOf('Connection');
    const raw = request.rawHeaders.filter((_text, index) => at < 0 || (index !== at && index !== at + 1));
    (response as Response).json([headers, distinct, raw, names(request, [
      'method', 'url', 'httpVersion', 'httpVersionMajor', 'httpVersionMinor', 'statusCode', 'statusMessage', 'aborted',
      'complete', 'readableFlowing',
    ])]);
  },
  '/setters': (request, response) => {
    request.url = '/other';
    request.method = 'PURGE';
    request.headers = { a: 'b' };
    const seen = [request.url, request.method, request.headers, request.headersDistinct['host']];
    request.headersDistinct = { c: ['d'] };
    request.trailers = { e: 'f' };
    (response as Response).json([...seen, request.headersDistinct, request.trailers]);
  },
  '/body': async (request, response) => {
    const text = await bodyOf(request);
    const wanted = ['complete', 'trailers', 'trailersDistinct', 'rawTrailers', 'readableEnded', 'destroyed'];
    const more = names(request, wanted);
    (response as Response).json([text, more]);
  },
  '/paused': async (request, response) => {
    const sizes: number[] = [];
    request.pause();
    await new Promise((resolve) => setImmediate(resolve));
    for (;;) {
      const piece = request.read(2) as Buffer | null;
      if (piece !== null) sizes.push(piece.length);
      else if (request.readableEnded) break;
      else await new Promise((resolve) => request.once('readable', resolve).once('end', resolve));
    }
    (response as Response).json(sizes);
  },
  '/fields': (_, response) => {
    response.statusCode = 203;
    response.statusMessage = 'As Told';
    response.setHeader('X-Array', ['a', 'b']).setHeader('X-Number', 5);
    response.appendHeader('X-Array', 'c').appendHeader('X-New', ['d', 'e']);
    response.setHeaders(new Map([['x-map', 'f']])).setHeaders(new Headers({ 'x-headers': 'g' }));
    response.setHeader('Set-Cookie', ['h=1', 'i=2']);
    response.setHeader('X-Gone', 'j');
    response.removeHeader('x-gone');
    const { headersSent } = response;
    // Typed for client requests only.
    const { getRawHeaderNames } = response as unknown as { getRawHeaderNames(): string[] };
    response.end(JSON.stringify([
      headersSent, response.getHeaderNames(), getRawHeaderNames.call(response), response.getHeaders(),
      response.hasHeader('X-NEW'), response.getHeader('x-array'), response.hasHeader('x-gone'),
    ]));
  },
  '/write-head': (_, response) => {
    response.setHeader('X-Before', 'a');
    response.writeHead(418, 'Short', { 'X-Object': ['b', 'c'], 'Content-Length': 2 }).end('ok');
  },
  '/write-head-raw': (_, response) => response.writeHead(200, ['X-Raw', 'a', 'X-Raw', 'b']).end('raw'),
  '/bad-fields': (_, response) => {
    const codes = [
      (): unknown => response.setHeader('a b', 'c'), (): unknown => response.setHeader('a', 'b\nc'),
      (): unknown => response.writeHead(99), (): unknown => response.setHeader('a', undefined as never),
    ].map((attempt) => {
      try {
        attempt();
        return 'none';
      } catch (error) {
        return (error as NodeJS.ErrnoException).code;
      }
    });
    response.end(JSON.stringify(codes));
  },
  '/strict': (_, response) => {
    response.strictContentLength = true;
    response.setHeader('Content-Length', 4);
    let code = 'none';
    try {
      response.write('123');
      response.write('45');
    } catch (error) {
      code = (error as NodeJS.ErrnoException).code ?? '';
    }
    count(`strict ${code}`);
    response.destroy();
  },
  '/flush': (_, response) => {
    response.flushHeaders();
    response.write('a');
    response.end(String(response.headersSent));
  },
  '/interim': (_, response) => {
    response.writeContinue();
    response.writeProcessing();
    response.writeEarlyHints({ link: ['</a.css>; rel=preload', '</b.js>; rel=preload'], 'x-early': 'yes' });
    const { writeInformation } = response as unknown as { writeInformation?: (status: number, fields: object) => void };
    writeInformation?.call(response, 104, { 'x-more': 'a' });
    response.end('last');
  },
  '/trailers': (_, response) => {
    response.writeHead(200, { Trailer: 'X-Sum' });
    response.write('body');
    response.addTrailers({ 'X-Sum': '1', 'X-Two': 'b' });
    response.end();
  },
  '/empty': (_, response) => response.writeHead(204).end(),
  '/not-modified': (_, response) => response.writeHead(304, { ETag: '"a"' }).end('no body'),
  '/full': (_, response) => {
    let writes = 0;
    const more = (): void => {
      while (writes < 64) {
        writes += 1;
        if (!response.write('x'.repeat(65_536))) return void response.once('drain', more);
      }
      response.end(`${names(response, ['writableEnded', 'writableFinished', 'destroyed']) !== null}`);
    };
    response.on('finish', () => count(`finish ${response.writableFinished} ${response.writableLength}`));
    response.on('close', () => count('full closed'));
    more();
  },
  '/wait': (request, response) => {
    request.setTimeout(60, () => {
      count('request timeout');
      response.end('waited');
    });
  },
  '/wait-response': (_, response) => {
    response.setTimeout(60, () => response.end('response waited'));
  },
  '/wait-socket': (request, response) => {
    request.socket.setTimeout(60, () => response.end('socket waited'));
  },
  '/socket': (request, response) => {
    const { socket } = request;
    const address = server.address() as { port: number };
    (response as Response).json([
      socket === response.socket, socket === request.connection, socket.remoteAddress?.replace('::ffff:', ''),
      typeof socket.remotePort, socket.localPort === address.port, socket.localAddress?.replace('::ffff:', ''),
      Boolean((socket as unknown as { encrypted?: boolean }).encrypted), socket.readable, socket.writable,
      socket.destroyed, socket.readyState,
      typeof socket.setNoDelay, typeof socket.setKeepAlive, typeof socket.ref, typeof socket.unref,
      (socket as unknown as { server: unknown }).server === server, socket.listenerCount('error') > 0,
    ]);
  },
  '/socket-end': (_, response) => {
    response.socket!.on('close', () => count('socket closed'));
    response.write('cut ');
    response.write('short', () => response.socket?.destroy());
  },
  '/destroy': (request) => {
    request.on('close', () => count(`destroyed ${request.destroyed}`));
    request.on('error', (error) => count(`error ${error.message}`));
    request.destroy(new Error('on purpose'));
  },
  '/storage': async (request, response) => {
    const seen: (string | undefined)[] = [storage.getStore()];
    await storage.run('inside', async () => {
      seen.push(storage.getStore());
      await bodyOf(request);
      seen.push(storage.getStore());
      await new Promise((resolve) => setTimeout(resolve, 1));
      seen.push(storage.getStore());
    });
    response.on('finish', () => count(`store in finish ${storage.getStore()}`));
    response.end(JSON.stringify([...seen, storage.getStore()]));
  },
  '/server': (_, response) => {
    server.getConnections((error, connections) => (response as Response).json([
      error, connections >= 1, server.listening, typeof server.address(), server.ref() === server,
      server.unref() === server, server.ref() === server, server.setTimeout(0) === server, names(server, [
        'timeout', 'headersTimeout', 'requestTimeout', 'maxHeadersCount', 'maxRequestsPerSocket', 'keepAliveTimeout',
      ]),
    ]));
  },
  '/many-fields': (request, response) => {
    server.maxHeadersCount = null as never;
    (response as Response).json(Object.keys(request.headers).filter((name) => name.startsWith('x-')).length);
  },
  '/hang': (_, response) => {
    response.write('hangs');
    response.on('close', () => count(`hang closed ${response.writableFinished}`));
  },
  '/close-all': (_, response) => {
    response.end('closing');
    response.on('finish', () => {
      server.closeIdleConnections();
      server.close(() => console.log(`closed ${server.listening}`));
      setImmediate(() => server.closeAllConnections());
    });
  },
  '/report': (_, response) => {
    // What observers tell comes behind the exchanges that it is about.
    setTimeout(() => (response as Response).json([...counted].sort()), 50);
  },
};

server.on('request', (request: http.IncomingMessage, response: http.ServerResponse) => {
  const scene = scenes[new URL(request.url ?? '', 'http://a').pathname];
  if (scene === undefined) response.writeHead(404).end();
  else void scene(request, response);
});
server.on('checkContinue', (request: http.IncomingMessage, response: http.ServerResponse) => {
  if (request.url === '/refused') response.writeHead(413, { Connection: 'close' }).end('too much');
  else {
    response.writeContinue();
    server.emit('request', request, response);
  }
});
server.on('checkExpectation', (request: http.IncomingMessage, response: http.ServerResponse) => {
  response.writeHead(417).end(`what is ${request.headers.expect}`);
});
function tunnel(name: string) {
  return (request: http.IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.write(`HTTP/1.1 ${name === 'connect' ? '200 Fine' : '101 Switching Protocols'}\r\n`);
    if (name !== 'connect') socket.write('Connection: Upgrade\r\nUpgrade: echo\r\n');
    socket.write(`\r\n${name} ${request.url} ${head.length} ${request.headers.upgrade} `);
    socket.on('close', () => count(`${name} closed`));
    socket.on('data', (piece: Buffer) => socket.write(piece)).on('end', () => socket.end('bye'));
  };
}
server.on('upgrade', (request: http.IncomingMessage, socket: Duplex, head: Buffer) => {
  if (request.url === '/refused') {
    socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno');
  } else tunnel('upgrade')(request, socket, head);
});
server.on('connect', tunnel('connect'));
server.on('connection', () => count('connection'));
server.on('close', () => console.log('close event'));
server.on('timeout', (socket) => {
  count('timeout event');
  socket.end();
});
server.on('listening', () => console.log(`listens on ${(server.address() as { port: number }).port}`));
server.listen(0, '127.0.0.1');
