// A local inspector address for a debugger that is elsewhere: VS Code, chrome://inspect, `node inspect` and
// any CDP client take it for a Node process on this machine. Messages travel by long polling, so the editor
// stays attached while the network comes and goes. Listens on 127.0.0.1 only and, as Node does, only for Host
// fields that are no names: a page that made its name point here gets nothing.

import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Clock } from '../base/clock.ts';
import { HostError, messageOf } from '../base/host-error.ts';
import { isLoopbackHost } from '../base/loopback.ts';
import { AttachSession } from './attach-session.ts';
import { SESSION_COOKIE, SESSION_FIELD } from './access.ts';
import { exchange, signIn } from './poll-client.ts';
import { describeProtocol } from './protocol-description.ts';

/** Most editors at a time. */
const CLIENTS_MAX = 8;
/** Largest command of an editor, in bytes. */
const COMMAND_BYTES_MAX = 8_388_608;

/** What {@link attach} needs. */
export interface AttachOptions {
  /** `https://host/app/debug/`, or a one-time link. */
  url: string;
  /** Port on 127.0.0.1; 0 takes a free one. */
  port: number;
  clock: Clock;
  /** Events for people. */
  onEvent(text: string): void;
}

/** A local address that leads to a debugger. */
export interface Attachment {
  port: number;
  /** `ws://127.0.0.1:9229/<id>` */
  socketUrl: string;
  close(): Promise<void>;
}

/**
 * Signs in, starts the debugger where it does not run, and opens the address.
 * @throws HostError OPTION_INVALID, DEBUGGER_FORBIDDEN, DEBUGGER_NOT_RUNNING, LISTEN_FAILED
 */
export async function attach(options: AttachOptions): Promise<Attachment> {
  const entrance = await enter(options.url);
  // Now rather than at the first editor: errors are to be seen by whoever starts this.
  await signIn(entrance.base, entrance.secrets);
  const bridge = new Bridge(options, entrance);
  await bridge.listen();
  return bridge;
}

/** Where a debugger is, and what signs in there. */
interface Entrance {
  page: URL;
  base: URL;
  secrets: { session?: string };
}

async function enter(text: string): Promise<Entrance> {
  const page = URL.canParse(text) ? new URL(text) : null;
  if (page === null || !/^https?:$/.test(page.protocol)) {
    throw new HostError('OPTION_INVALID', `"${text}" is no http(s) URL of a debugger, such as http://host/app/debug/`);
  }
  const link = page.searchParams.get('link');
  page.search = '';
  page.hash = '';
  if (!page.pathname.endsWith('/')) page.pathname += '/';
  const base = new URL('cdp/', page);
  if (link === null) {
    await open(page, {});
    return { page, base, secrets: {} };
  }
  const signing = new URL(page);
  signing.searchParams.set('link', link);
  const answer = await reach(signing, {});
  const pattern = new RegExp(`^${SESSION_COOKIE}=([\\w-]+)`);
  const session = answer.headers['set-cookie']?.map((cookie) => pattern.exec(cookie)?.[1]).find(Boolean);
  if (session === undefined) throw new HostError('DEBUGGER_FORBIDDEN', plainText(answer.text));
  await open(page, { [SESSION_FIELD]: session });
  return { page, base, secrets: { session } };
}

/** Opens the page, which starts the debugger where it does not run. */
async function open(page: URL, headers: Record<string, string>): Promise<void> {
  const answer = await reach(page, { accept: 'application/json', ...headers });
  if (answer.status === 200) return;
  const code = answer.status === 403 ? 'DEBUGGER_FORBIDDEN' : 'DEBUGGER_NOT_RUNNING';
  throw new HostError(code, `${page.origin}${page.pathname}: ${plainText(answer.text)}`);
}

function messageIn(text: string): string | undefined {
  try {
    const { message, error } = JSON.parse(text) as { message?: unknown; error?: { message?: unknown } };
    const said = error?.message ?? message;
    return typeof said === 'string' && said !== '' ? said : undefined;
  } catch {
    // A page.
    return undefined;
  }
}

async function reach(url: URL, headers: Record<string, string>): ReturnType<typeof exchange> {
  try {
    // The debuggee may take its time to start.
    return await exchange(url, { headers, timeoutMs: 60_000 });
  } catch (error) {
    const message = `${url.origin} cannot be reached: ${messageOf(error)}`;
    throw new HostError('DEBUGGER_NOT_RUNNING', message, { cause: error });
  }
}

/** What an answer says, also where it is an error as JSON. */
function plainText(text: string): string {
  const said = messageIn(text) ?? text.trim().split('\n')[0]!;
  return said.slice(0, 500);
}

class Bridge implements Attachment {
  readonly #id = randomUUID();
  #options: AttachOptions;
  #entrance: Entrance;
  #server: Server;
  #sockets: WebSocketServer;
  #sessions = new Set<AttachSession>();
  /** Asked for once. */
  #protocol: Promise<unknown> | null = null;

  constructor(options: AttachOptions, entrance: Entrance) {
    this.#options = options;
    this.#entrance = entrance;
    this.#server = createServer((request, response) => this.#answer(request, response));
    this.#sockets = new WebSocketServer({ noServer: true, maxPayload: COMMAND_BYTES_MAX, perMessageDeflate: false });
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket as Socket, head));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get socketUrl(): string {
    return `ws://127.0.0.1:${this.port}/${this.#id}`;
  }

  listen(): Promise<void> {
    const { port } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.once('error', (error) => {
        const message = `cannot listen on 127.0.0.1:${port}: ${messageOf(error)}; choose another with --port`;
        reject(new HostError('LISTEN_FAILED', message, { cause: error }));
      });
      this.#server.listen(port, '127.0.0.1', resolve);
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#sessions].map((session) => session.close()));
    this.#sockets.close();
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  /** The pages of Node's inspector: /json, /json/list, /json/version, /json/protocol. */
  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = (request.url ?? '/').replace(/\?.*$/, '').replace(/\/$/, '');
    const pages: Record<string, () => unknown> = {
      '/json': () => [this.#target()],
      '/json/list': () => [this.#target()],
      '/json/version': () => ({ Browser: `node.js/${process.version}`, 'Protocol-Version': '1.1' }),
      '/json/protocol': () => (this.#protocol ??= describeProtocol()),
    };
    const page = Object.hasOwn(pages, path) ? pages[path] : undefined;
    if (!isLoopbackHost(request.headers.host ?? '')) {
      response.writeHead(400).end('Host must be an address of this machine\n');
    } else if (page === undefined) {
      response.writeHead(404).end('not found\n');
    } else {
      void this.#sendPage(page, response);
    }
  }

  async #sendPage(page: () => unknown, response: ServerResponse): Promise<void> {
    try {
      const text = `${JSON.stringify(await page(), null, 2)}\n`;
      response.writeHead(200, {
        'Content-Type': 'application/json; charset=UTF-8',
        'Cache-Control': 'no-cache',
        // chrome://inspect understands no chunks.
        'Content-Length': Buffer.byteLength(text),
      });
      response.end(text);
    } catch (error) {
      this.#options.onEvent(`a page of the inspector is missing: ${messageOf(error)}`);
      this.#protocol = null;
      response.writeHead(500).end('not available\n');
    }
  }

  #target(): Record<string, string> {
    const query = `?experiments=true&v8only=true&ws=${this.socketUrl.slice('ws://'.length)}`;
    return {
      description: 'node.js instance',
      devtoolsFrontendUrl: `devtools://devtools/bundled/js_app.html${query}`,
      devtoolsFrontendUrlCompat: `devtools://devtools/bundled/inspector.html${query}`,
      faviconUrl: 'https://nodejs.org/static/images/favicons/favicon.ico',
      id: this.#id,
      title: this.#entrance.page.href,
      type: 'node',
      url: 'file://',
      webSocketDebuggerUrl: this.socketUrl,
    };
  }

  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const isRight = request.url === `/${this.#id}` && isLoopbackHost(request.headers.host ?? '');
    if (!isRight || this.#sessions.size >= CLIENTS_MAX) {
      socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
      return;
    }
    this.#sockets.handleUpgrade(request, socket, head, (client) => void this.#serve(client));
  }

  async #serve(client: WebSocket): Promise<void> {
    const { clock, onEvent } = this.#options;
    const { page, base, secrets } = this.#entrance;
    const session = new AttachSession({ client, base, clock, onEvent });
    this.#sessions.add(session);
    client.on('close', () => this.#sessions.delete(session));
    try {
      // The debugger may have been ended since, and an editor that comes again wants a new one.
      await open(page, secrets.session === undefined ? {} : { [SESSION_FIELD]: secrets.session });
      const { key } = await signIn(base, secrets);
      await session.start(key);
    } catch (error) {
      onEvent(`the editor was turned away: ${messageOf(error)}`);
      client.close(1011, 'the debugger is not there');
    }
  }
}
