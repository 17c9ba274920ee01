// What the tests of this room share: a front made of a real Unix socket and real frames, a preload that
// registers instead of listening, and folders of apps. The front keeps what the room told it.

import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createApps } from './apps.ts';
import { DEFAULT_APP_SETTINGS } from './app-config.ts';
import { systemClock } from '../base/clock.ts';
import { createLog } from '../base/log.ts';
import { FrameReader, FrameWriter } from '../wire/frame.ts';
import { LINK, decodeJson } from '../wire/link-messages.ts';
import type { Server, Socket } from 'node:net';
import type { AppOutput, Apps, AppsOptions, FrontControl } from './apps.ts';
import type { AppSettings } from './app-config.ts';
import type { ExpectedProcess, Failure } from '../wire/front-messages.ts';
import type { Hello } from '../wire/link-messages.ts';

const PRELOAD = `
const net = require('node:net');
const http = require('node:http');
const key = process.env.SLIPSTREAM_KEY;
const graceMs = Number(process.env.SLIPSTREAM_GRACE_MS);
const servers = new Set();
let socket = null, lostAt = Date.now();
function frame(type, value) {
  const payload = Buffer.from(JSON.stringify(value));
  const head = Buffer.alloc(9);
  head.writeUInt32BE(payload.length, 0);
  head[4] = type;
  return Buffer.concat([head, payload]);
}
function dial() {
  const dialed = net.connect(process.env.SLIPSTREAM_FRONTS).resume();
  dialed.on('connect', () => {
    socket = dialed;
    socket.write(frame(${LINK.HELLO}, { version: 1, pid: process.pid, key }));
    for (const server of servers) socket.write(frame(${LINK.REGISTER}, { id: 1, prefixes: [] }));
  });
  dialed.on('error', () => {});
  dialed.on('close', () => {
    if (socket === dialed) lostAt = Date.now();
    socket = null;
    if (Date.now() - lostAt > graceMs) process.exit(0);
    const timer = setTimeout(dial, 20);
    if (servers.size === 0) timer.unref();
  });
  if (servers.size === 0) dialed.unref();
}
// Threads of the process, such as that of a module loader, load the preload too.
if (require('node:worker_threads').isMainThread) dial();
http.Server.prototype.listen = function (...args) {
  servers.add(this);
  const callback = args.find((arg) => typeof arg === 'function');
  if (callback) this.once('listening', callback);
  if (socket) { socket.ref(); socket.write(frame(${LINK.REGISTER}, { id: 1, prefixes: [] })); }
  setInterval(() => {}, 1e6);
  setImmediate(() => this.emit('listening'));
  return this;
};
http.Server.prototype.close = function () {
  servers.delete(this);
  if (socket) socket.write(frame(${LINK.UNREGISTER}, { id: 1 }));
  return this;
};
`;

/** An app that listens and does what `then` says. */
export function serverSource(then = ''): string {
  return `const server = require('node:http').createServer(); server.listen(process.env.PORT); ${then}\n`;
}

/** A folder of its own for a test, with files in it. */
export function makeFolder(files: Readonly<Record<string, string>> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'slip-apps-'));
  writeFiles(folder, files);
  return folder;
}

/** Writes files into a folder, with the folders that they are in. */
export function writeFiles(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

/** True while there is such a process, zombies included; a negative number asks for a group. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** True while a process runs; a killed one that its new parent has not reaped does not. */
export function isRunning(pid: number): boolean {
  if (!isAlive(pid)) return false;
  const path = `/proc/${pid}/stat`;
  return !existsSync(path) || !/\) Z /.test(readFileSync(path, 'utf8'));
}

/** Resolves when a process that was killed runs no more: the kernel takes its moment. */
export async function ended(pid: number): Promise<void> {
  while (isRunning(pid)) await new Promise((resolve) => setImmediate(resolve));
}

/** Resolves when `holds` does; asked after each event of `emitter`. */
export async function until(emitter: EventEmitter, holds: () => boolean): Promise<void> {
  while (!holds()) await once(emitter, 'event');
}

interface Linked {
  id: string;
  pid: number;
  socket: Socket;
  isReady: boolean;
}

/** See the head of this file. Emits `event` after each thing that happened. */
export class FakeFront extends EventEmitter implements FrontControl {
  readonly expected = new Map<string, ExpectedProcess>();
  readonly linked = new Map<string, Linked>();
  readonly forgotten: string[] = [];
  readonly retired: string[] = [];
  readonly failures: Failure[] = [];
  readonly outputs: AppOutput[] = [];
  readonly logged: string[] = [];
  starts = 0;
  changes = 0;
  /** Whether a retired process is drained at once. */
  drainsAtOnce = true;
  readonly #drains = new Map<string, () => void>();
  readonly #socketPath: string;
  #server: Server;
  apps!: Apps;

  constructor(folder: string) {
    super();
    this.setMaxListeners(0);
    this.#socketPath = join(folder, 'front.sock');
    this.#server = this.#listen();
  }

  #listen(): Server {
    return createServer((socket) => this.#serve(socket)).listen(this.#socketPath);
  }

  #serve(socket: Socket): void {
    let link: Linked | undefined;
    const writer = new FrameWriter(socket);
    const reader = new FrameReader((type, _channel, buffer, start, end) => {
      if (type === LINK.HELLO) {
        const hello = decodeJson<Hello>(buffer, start, end);
        const expected = [...this.expected.values()].find((one) => one.key === hello.key);
        if (expected === undefined) return void socket.destroy();
        link = { id: expected.id, pid: hello.pid, socket, isReady: false };
        this.linked.set(link.id, link);
        writer.json(LINK.WELCOME, 0, { version: 1, frontPid: process.pid });
      } else if (type === LINK.REGISTER && link !== undefined) {
        link.isReady = true;
        this.apps.ready(link.id);
      } else if (type === LINK.UNREGISTER && link !== undefined) {
        link.isReady = false;
        this.apps.unready(link.id);
      }
      this.emit('event');
    });
    socket.on('data', (chunk) => reader.push(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      if (link === undefined || this.linked.get(link.id) !== link) return;
      this.linked.delete(link.id);
      this.apps.unlinked(link.id);
      this.emit('event');
    });
  }

  expect(process: ExpectedProcess): void {
    if (process.pid === undefined) this.starts += 1;
    this.expected.set(process.id, process);
    this.emit('event');
  }

  forget(process: string): void {
    this.expected.delete(process);
    this.forgotten.push(process);
    this.linked.get(process)?.socket.destroy();
    this.linked.delete(process);
    this.emit('event');
  }

  retire(process: string): Promise<void> {
    this.retired.push(process);
    const drained = new Promise<void>((resolve) => this.#drains.set(process, resolve));
    if (this.drainsAtOnce) this.drain(process);
    this.emit('event');
    return drained;
  }

  drain(process: string): void {
    this.#drains.get(process)?.();
  }

  failed(_group: string, failure: Failure): void {
    this.failures.push(failure);
    this.emit('event');
  }

  appsChanged(): void {
    this.changes += 1;
    this.emit('event');
  }

  /** Ids of processes that would get requests. */
  serving(): string[] {
    const ready = [...this.linked.values()].filter((link) => link.isReady);
    return ready.map((link) => link.id).filter((id) => !this.retired.includes(id));
  }

  pidOf(process: string): number {
    return this.linked.get(process)!.pid;
  }

  /** Breaks all links, as the death of a front does, and takes the same processes from now on. */
  async restart(): Promise<void> {
    const sockets = [...this.linked.values()].map((link) => link.socket);
    const lost = [...this.linked.keys()];
    this.linked.clear();
    this.#server.close();
    for (const socket of sockets) socket.destroy();
    await once(this.#server, 'close');
    for (const process of lost) this.apps.unlinked(process);
    this.#server = this.#listen();
    await once(this.#server, 'listening');
  }

  async close(): Promise<void> {
    for (const link of this.linked.values()) link.socket.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }
}

export interface TestRoom extends AsyncDisposable {
  apps: Apps;
  front: FakeFront;
  root: string;
  /** Where the socket of the front and the preload are. */
  home: string;
  /** Waits until something holds; asked after everything that happens. */
  until(holds: () => boolean): Promise<void>;
  /** Asks for the app like a request and waits for the answer: the ids that serve, or the failure. */
  request(group: string): Promise<string[] | Failure>;
}

/** A room over a folder with `files`, scanned. */
export async function makeRoom(
  files: Readonly<Record<string, string>>,
  settings: Partial<AppSettings> = {},
  more: Partial<AppsOptions> = {},
): Promise<TestRoom> {
  const root = makeFolder(files);
  const home = makeFolder({ 'register.cjs': PRELOAD });
  const front = new FakeFront(home);
  const apps = createApps({
    root,
    settings: { ...DEFAULT_APP_SETTINGS, defaults: { ...DEFAULT_APP_SETTINGS.defaults, ...settings } },
    front,
    fronts: join(home, 'front.sock'),
    port: 8080,
    registerPath: join(home, 'register.cjs'),
    clock: systemClock,
    log: createLog({
      json: true,
      level: 'debug',
      write: (line) => {
        front.logged.push((JSON.parse(line) as { event: string }).event);
        front.emit('event');
      },
    }),
    output: (output) => {
      front.outputs.push(output);
      front.emit('event');
    },
    ...more,
  });
  front.apps = apps;
  await apps.scan();
  return {
    apps,
    front,
    root,
    home,
    until: (holds) => until(front, holds),
    async request(group) {
      const failures = front.failures.length;
      const serving = (): string[] => front.serving().filter((id) => id.startsWith(`${group}#`));
      if (serving().length === 0) apps.activate(group);
      await until(front, () => front.failures.length > failures || serving().length > 0);
      return front.failures.length > failures ? front.failures.at(-1)! : serving();
    },
    async [Symbol.asyncDispose]() {
      await apps.stop(200);
      await front.close();
      rmSync(root, { recursive: true, force: true });
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** Runs `run` with a room and ends the room after it. */
export async function withRoom(room: TestRoom, run: (room: TestRoom) => Promise<void>): Promise<void> {
  try {
    await run(room);
  } finally {
    await room[Symbol.asyncDispose]();
  }
}

/** The answer to a request says that processes serve the app. */
export function assertServed(answer: string[] | Failure): asserts answer is string[] {
  assert.ok(Array.isArray(answer), JSON.stringify(answer));
}

/** The answer to a request is a failure. */
export function assertFailed(answer: string[] | Failure): asserts answer is Failure {
  assert.ok(!Array.isArray(answer), 'the app was expected to fail');
}
