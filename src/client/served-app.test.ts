// A server of this process behind a scripted front, without patching `listen`. Holds no test of its own.

import http from 'node:http';
import type { RequestListener, Server, ServerOptions } from 'node:http';
import type { TestContext } from 'node:test';
import type { ExchangeSocket } from './exchange-socket.ts';
import { FrontLinks } from './host-link.ts';
import type { FrontLink } from './scripted-front.test.ts';
import { ScriptedFront } from './scripted-front.test.ts';
import { AppListen, planListen } from './server-listen.ts';
import { exchangeFrames } from './serve-exchange.ts';

export interface Served {
  front: ScriptedFront;
  link: FrontLink;
  server: Server;
  listen: AppListen;
}

/** Joins this process to a scripted front; nothing listens yet. Everything ends with the test. */
export async function join(test: TestContext): Promise<{ front: ScriptedFront; listen: AppListen }> {
  const front = await ScriptedFront.start();
  const links = new FrontLinks<ExchangeSocket>({
    paths: [front.path],
    key: 'key-1',
    title: 'test',
    graceMs: () => 60_000,
    frames: exchangeFrames(() => listen.server),
    onAbandoned: () => {},
  });
  const listen = new AppListen(links, '8080');
  links.start();
  test.after(async () => {
    links.stop();
    await front.stop();
  });
  return { front, listen };
}

/** Serves a handler. The server is closed when the test ends. */
export async function serve(
  test: TestContext,
  handler: RequestListener,
  options: ServerOptions = {},
): Promise<Served> {
  const { front, listen } = await join(test);
  const server = http.createServer(options, handler);
  listen.listen(server, planListen([3000])!);
  test.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const link = await front.registered();
  return { front, link, server, listen };
}
