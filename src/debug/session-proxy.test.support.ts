// What tests of the session proxy share: real programs with their inspector open, a proxy before each, and pages
// that speak to it over HTTP on a loopback port. Everything that was started ends after each test.

import { afterEach } from 'node:test';
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { systemClock, type Clock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { KEY_FIELD, type CdpMessage, type Opened, type PageData } from '../wire/poll-messages.ts';
import { startInspected } from './inspected-program.test.support.ts';
import { createSessionProxy, type SessionProxy, type SessionProxyOptions } from './session-proxy.ts';

/** Where the debugger of every test is. */
export const BASE = '/shop/debug/';
const PAGE = 'the UI <script type="application/json" id="slipstream-page">{}</script>';
/** Called after each test, the last one first. */
export const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

// oxlint-disable-next-line typescript/no-explicit-any -- read as the test expects; another shape fails it
export type Json = any;

/** The answer to a request. */
export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

/** One request on a connection of its own; a POST says the origin of the page. */
export function ask(
  origin: string,
  path: string,
  options: { method?: string; body?: string; headers?: Record<string, string>; signal?: AbortSignal } = {},
): Promise<Answer> {
  const { method = 'GET', body, headers, signal } = options;
  return new Promise((resolve, reject) => {
    const fields = { ...(method === 'POST' ? { Origin: origin } : {}), ...headers };
    const init = { method, headers: fields, agent: false, ...(signal && { signal }) };
    const request = httpRequest(origin + path, init, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => {
        const text = Buffer.concat(parts).toString();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text });
      });
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** The data that the page brings along. */
export async function dataOf(origin: string, headers: Record<string, string> = {}): Promise<PageData> {
  const { body, status } = await ask(origin, BASE, { headers });
  assert.equal(status, 200, body);
  return JSON.parse(/id="slipstream-page">(.*)<\/script>/.exec(body)![1]!) as PageData;
}

/** What shows the key of a page. */
export async function keyOf(origin: string): Promise<Record<string, string>> {
  return { [KEY_FIELD]: (await dataOf(origin)).key };
}

/** A page: polls all the time, sends numbered commands. */
export class Page {
  readonly messages: CdpMessage[] = [];
  viewer = '';
  ack = 0;
  next = 0;
  farewell: Answer | null = null;
  #origin: string;
  #key: string | undefined;
  #polling = new AbortController();
  #id = 0;
  #wake: (() => void)[] = [];

  constructor(origin: string, key?: string) {
    this.#key = key;
    this.#origin = origin;
  }

  get path(): string {
    return `${BASE}cdp/${this.viewer}/`;
  }

  async open(): Promise<this> {
    const headers = this.#key === undefined ? await keyOf(this.#origin) : { [KEY_FIELD]: this.#key };
    const answer = await ask(this.#origin, `${BASE}cdp/`, { method: 'POST', body: '{}', headers });
    assert.equal(answer.status, 200, answer.body);
    this.viewer = (JSON.parse(answer.body) as Opened).viewer;
    cleanups.push(() => this.close());
    void this.#poll();
    return this;
  }

  /** Opens, attaches to the program and enables what DevTools enables. */
  async start(): Promise<this> {
    await this.open();
    await this.call('Target.setAutoAttach', { autoAttach: true, flatten: true }, '');
    await this.event('Target.attachedToTarget');
    await this.call('Runtime.enable');
    await this.call('Debugger.enable');
    return this;
  }

  async #poll(): Promise<void> {
    for (;;) {
      const lost: Answer = { status: 0, headers: {}, body: 'the connection was lost' };
      const { signal } = this.#polling;
      const answer = await ask(this.#origin, `${this.path}poll?ack=${this.ack}`, { signal }).catch(() => lost);
      if (answer.status !== 200) {
        this.farewell = answer;
        for (const wake of this.#wake.splice(0)) wake();
        return;
      }
      for (const message of JSON.parse(answer.body) as CdpMessage[]) {
        this.ack += 1;
        this.messages.push(message);
      }
      for (const wake of this.#wake.splice(0)) wake();
    }
  }

  async until<Found>(find: () => Found | undefined | null | false): Promise<Found> {
    for (;;) {
      const found = find();
      if (found) return found;
      assert.equal(this.farewell, null, 'the viewer is gone');
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  post(messages: CdpMessage[], number: number): Promise<Answer> {
    const body = JSON.stringify(messages);
    return ask(this.#origin, `${this.path}send?n=${number}`, { method: 'POST', body });
  }

  /** Sends without waiting for the answer; the id. */
  async send(method: string, params: Record<string, unknown> = {}, session?: string): Promise<number> {
    const id = ++this.#id;
    const sessionId = session ?? mainSession(this.messages);
    const message = { id, method, params, ...(sessionId === '' ? {} : { sessionId }) };
    const sent = await this.post([message], this.next++);
    assert.equal(sent.status, 204, sent.body);
    return id;
  }

  async reply(method: string, params?: Record<string, unknown>, session?: string): Promise<CdpMessage> {
    const id = await this.send(method, params, session);
    return this.until(() => this.messages.find((message) => message.id === id));
  }

  async call(method: string, params?: Record<string, unknown>, session?: string): Promise<Json> {
    const reply = await this.reply(method, params, session);
    assert.equal(reply.error, undefined, `${method}: ${reply.error?.message}`);
    return reply.result;
  }

  /** The first event of that name from message `from` on. */
  event(method: string, from = 0): Promise<Json> {
    return this.until(() => this.messages.slice(from).find((message) => message.method === method)?.params);
  }

  events(method: string): Json[] {
    return this.messages.filter((message) => message.method === method).map((message) => message.params);
  }

  /** Stops without a word, as a page whose machine sleeps. */
  vanish(): void {
    this.#polling.abort();
  }

  async close(): Promise<void> {
    await ask(this.#origin, `${this.path}close`, { method: 'POST' });
  }
}

/** The flat session of the program, as the page was told. */
export function mainSession(messages: CdpMessage[]): string {
  const attached = messages.find((message) => message.method === 'Target.attachedToTarget');
  return (attached?.params?.['sessionId'] as string | undefined) ?? '';
}

/** A program that is debugged. */
export interface Program {
  child: ChildProcess;
  exited: Promise<unknown[]>;
  folder: string;
  /** Of its inspector. */
  port: number;
  url: string;
}

/** A program, its session, and pages for it. */
export interface Scene extends Program {
  proxy: SessionProxy;
  origin: string;
  page(): Promise<Page>;
}

/** Serves a proxy; the origin. */
export async function served(proxy: SessionProxy): Promise<string> {
  const server = createServer((request, response) => proxy.handle(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Writes a program and starts it. */
export async function launch(source: string, options: { brk?: boolean; name?: string }): Promise<Program> {
  const folder = mkdtempSync(join(tmpdir(), 'slip-debug-'));
  const file = join(folder, options.name ?? 'app.cjs');
  writeFileSync(file, source);
  const { child, exited, port } = await startInspected(file, options.brk === true ? 'inspect-brk' : 'inspect');
  cleanups.push(async () => {
    child.kill('SIGKILL');
    await exited;
    rmSync(folder, { recursive: true });
  });
  return { child, exited, folder, port, url: pathToFileURL(file).href };
}

/** A session of a program, all else as usual. */
export function proxyOptions(folder: string, ids: { pid: number; port: number }): SessionProxyOptions {
  return {
    app: 'shop',
    appPath: '/shop/',
    debuggerFolder: folder,
    auth: 'link',
    auditMask: [],
    pid: ids.pid,
    inspector: { kind: 'port', port: ids.port },
    breakAtStart: false,
    isLive: false,
    unattended: { kind: 'hold' },
    basePaths: [BASE, '/shop/app.js/debug/'],
    settingsFile: join(folder, 'kept', 'settings.json'),
    uiFiles: {
      page: () => Promise.resolve(PAGE),
      serve: () => false,
    },
    isLocal: (request) => request.headers['x-far'] === undefined,
    clock: systemClock,
    log: silentLog,
  };
}

/** How a program is started, and its session. */
export interface SceneOptions {
  brk?: boolean;
  name?: string;
  unattended?: SessionProxyOptions['unattended'];
  clock?: Clock;
  onReport?: SessionProxyOptions['onReport'];
  lastWordsWaitMs?: number;
}

/** A program and its session. */
export async function scene(source: string, options: SceneOptions = {}): Promise<Scene> {
  const program = await launch(source, options);
  const { folder, port, child } = program;
  const { unattended = { kind: 'hold' }, clock = systemClock, onReport, lastWordsWaitMs = 0 } = options;
  const usual = proxyOptions(folder, { pid: child.pid!, port });
  const proxy = createSessionProxy({ ...usual, unattended, clock, lastWordsWaitMs, ...(onReport && { onReport }) });
  cleanups.push(() => proxy.close());
  const origin = await served(proxy);
  await proxy.ready;
  const page = (): Promise<Page> => new Page(origin).start();
  return { ...program, proxy, origin, page };
}

/** Runs `work()` a line at a time, whenever a line comes in on stdin. */
export const WORKER_LOOP = `
let count = 0;
function work(text) {
  const answer = text.trim() + ' ' + (count += 1);
  return answer;
}
process.stdin.on('data', (text) => process.stdout.write(work(String(text)) + '\\n'));
console.warn('started', { deep: { er: 1 } });
`;
/** Zero-based line of `return answer`. */
export const WORK_LINE = 3;

/** What the program prints next. */
export function output(child: ChildProcess): Promise<string> {
  return once(child.stdout!, 'data').then(([data]) => String(data));
}

/** A scene of {@link WORKER_LOOP}. */
export function withLoop(): Promise<Scene> {
  return scene(WORKER_LOOP);
}

/** An expression in the top frame of a pause. */
export async function frameValue(page: Page, pause: Json, expression: string): Promise<unknown> {
  const { callFrameId } = pause.callFrames[0];
  const { result } = await page.call('Debugger.evaluateOnCallFrame', { callFrameId, expression });
  return result.value;
}

/** Signs in as a program does. */
export function signIn(origin: string, body: object, headers: Record<string, string> = {}): Promise<Answer> {
  // Without the Origin of a page.
  return new Promise((resolve, reject) => {
    const request = httpRequest(`${origin}${BASE}cdp/sign-in`, { method: 'POST', headers, agent: false });
    request.on('error', reject);
    request.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
    });
    request.end(JSON.stringify(body));
  });
}
