// One process that joined: checks its lines, answers them one after the other.

import * as net from 'node:net';
import type { Clock } from '../base/clock.ts';
import { HostError } from '../base/host-error.ts';
import { JOIN_LINE_BYTES_MAX, JOIN_VERSION } from '../wire/join-messages.ts';
import type { ClaimPlace, JoinReply, JoinRequest } from '../wire/join-messages.ts';
import { bindErrno } from './listen-origin.ts';
import type { UserSockets } from './user-sockets.ts';

const HELLO_TIMEOUT_MS = 5000;
/** Lines that wait for their answers: a process asks one after the other. */
const LINES_WAITING_MAX = 100;
/** Answers that a process leaves unread, in bytes. */
const UNREAD_BYTES_MAX = 1_048_576;

/** Who a process says it is. */
export interface Joiner {
  pid: number;
  title: string;
}

/** What a process may ask for. */
export interface JoinActions {
  claim(owner: JoinConnection, from: Joiner, request: JoinRequest & { kind: 'claim' }): Promise<JoinReply>;
  release(owner: JoinConnection, claim: number): Promise<JoinReply>;
}

/** One process: its lines are answered one after the other. */
export class JoinConnection {
  readonly socket: net.Socket;
  /** Whose socket it came by; null: the host's own user. */
  readonly user: UserSockets | null;
  #actions: JoinActions;
  #from: Joiner | null = null;
  #text = '';
  #last: Promise<void> = Promise.resolve();
  #waiting = 0;

  constructor(
    socket: net.Socket,
    user: UserSockets | null,
    clock: Clock,
    actions: JoinActions,
  ) {
    this.socket = socket;
    this.user = user;
    this.#actions = actions;
    const late = clock.after(HELLO_TIMEOUT_MS, () => {
      if (this.#from === null) socket.destroy();
    });
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.#take(text));
    // The reason does not matter: `close` follows.
    socket.on('error', () => socket.destroy());
    socket.once('close', () => late.stop());
  }

  #take(text: string): void {
    this.#text += text;
    for (let end = this.#text.indexOf('\n'); end >= 0; end = this.#text.indexOf('\n')) {
      const line = this.#text.slice(0, end);
      this.#text = this.#text.slice(end + 1);
      this.#waiting += 1;
      if (this.#waiting > LINES_WAITING_MAX) return void this.socket.destroy();
      this.#last = this.#last.then(() => this.#answer(line));
    }
    if (this.#text.length > JOIN_LINE_BYTES_MAX) this.socket.destroy();
  }

  async #answer(line: string): Promise<void> {
    this.#waiting -= 1;
    if (this.socket.writableLength > UNREAD_BYTES_MAX) this.socket.destroy();
    if (this.socket.destroyed) return;
    const reply = await this.#replyTo(line);
    if (!this.socket.destroyed) this.socket.write(`${JSON.stringify(reply)}\n`);
  }

  async #replyTo(line: string): Promise<JoinReply> {
    let claim: number | undefined;
    try {
      const request = parseRequest(line);
      if (request.kind === 'hello') return this.#hello(request);
      claim = request.claim;
      if (this.#from === null) throw new HostError('CONTROL_INVALID', 'a process says hello first');
      if (request.kind === 'release') return await this.#actions.release(this, claim);
      return await this.#actions.claim(this, this.#from, request);
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      const errno = bindErrno(error);
      const { code, message } = error;
      const refusal: JoinReply = { kind: 'refused', code, message };
      if (claim !== undefined) refusal.claim = claim;
      if (errno !== undefined) refusal.errno = errno;
      return refusal;
    }
  }

  #hello(request: JoinRequest & { kind: 'hello' }): JoinReply {
    if (request.version !== JOIN_VERSION) {
      const message = `version ${JOIN_VERSION} is spoken here, the process speaks ${request.version}`;
      throw new HostError('LINK_VERSION_MISMATCH', message);
    }
    this.#from = { pid: request.pid, title: request.title };
    return { kind: 'welcome', version: JOIN_VERSION, hostPid: process.pid };
  }
}

/** @throws HostError CONTROL_INVALID */
function parseRequest(line: string): JoinRequest {
  let request: unknown;
  try {
    request = JSON.parse(line);
  } catch (error) {
    throw new HostError('CONTROL_INVALID', 'the line is not JSON', { cause: error });
  }
  const { kind, pid, title, version, claim, place, queue } = (request ?? {}) as Record<string, unknown>;
  const isHello = kind === 'hello' && Number.isInteger(pid) && typeof title === 'string';
  if (isHello && typeof version === 'number') return request as unknown as JoinRequest;
  const isNumbered = typeof claim === 'number';
  if (isNumbered && kind === 'release') return request as unknown as JoinRequest;
  if (isNumbered && kind === 'claim' && isPlace(place) && isQueue(queue)) return request as unknown as JoinRequest;
  throw new HostError('CONTROL_INVALID', 'this host does not know the request; is it of another version?');
}

function isQueue(value: unknown): boolean {
  if (value === undefined) return true;
  if (typeof value !== 'object' || value === null) return false;
  const { queueMax = 1, concurrencyMax = 1 } = value as Partial<Record<string, unknown>>;
  return [queueMax, concurrencyMax].every((count) => Number.isInteger(count) && (count as number) > 0);
}

function isPlace(value: unknown): value is ClaimPlace {
  const place = value as Partial<Record<string, unknown>> | null | undefined;
  if (place?.['kind'] === 'prefix') return typeof place['prefix'] === 'string';
  const { kind, port, address, isSecure } = place ?? {};
  const isPort = Number.isInteger(port) && (port as number) >= 0 && (port as number) <= 65_535;
  const isAddress = typeof address === 'string' && (address === '' || net.isIP(address) !== 0);
  return kind === 'port' && isPort && isAddress && typeof isSecure === 'boolean';
}
