// The servers of this process that listen through a host which somebody else runs: claims places for them,
// and claims them again, with the same ports, from whichever host is there when theirs is lost.

import net from 'node:net';
import { getSystemErrorMap } from 'node:util';
import { HostError } from '../base/host-error.ts';
import { queueSettings } from '../base/queue-settings.ts';
import type { ClaimPlace, JoinReply } from '../wire/join-messages.ts';
import { backgroundHome } from '../base/home-folder.ts';
import type { ListeningServer } from './app-handle.ts';
import { launchBackgroundHost, startBackgroundHost } from './background-host.ts';
import { JoinChannel, joinSockets, reservedSockets } from './join-channel.ts';
import { JoinedServer } from './joined-server.ts';

const RETRY_MS = 100;
const RETRY_MS_MAX = 1000;
/** A host that is there and says nothing is not waited for again so soon: that holds everything up. */
const SILENT_MS = 500;
const SILENCE_PAUSE_MS = 30_000;
/** While a lost host is looked for, one is started this often at most. */
const LAUNCH_PAUSE_MS = 5000;

/**
 * When a host is started where none runs: `prefix`, for URL prefixes, which nobody else can serve; `http`, for ports
 * of http servers, too; `always`, for those of https servers as well, whose own certificates are not used then.
 */
export type HostStart = 'never' | 'prefix' | 'http' | 'always';

/** What became of a claim: `no-host` when nobody is there to ask. */
export type ClaimResult =
  | { kind: 'granted'; joined: JoinedServer }
  | { kind: 'refused'; error: Error }
  | { kind: 'no-host'; reason: string };

/** See the head of the file. */
export class HostJoin {
  #home: string;
  #reserved: string;
  #start: HostStart;
  /** Whether the host that was found last is one that programs start. */
  #isBackground = false;
  #startFailure = '';
  #launchAgainAtMs = 0;
  #channel: JoinChannel | null = null;
  #servers = new Map<number, JoinedServer>();
  #nextClaim = 1;
  #retry: NodeJS.Timeout | null = null;
  #retries = 0;
  #askAgainAtMs = 0;

  /** `reserved`: the folder where hosts of the machine keep sockets of users. */
  constructor(home: string, reserved: string, start: HostStart) {
    this.#home = home;
    this.#reserved = reserved;
    this.#start = start;
  }

  /** The servers that listen. */
  get servers(): ListeningServer[] {
    return [...this.#servers.values()].map(({ handle }) => handle.server);
  }

  /** Claims a place for a server; when granted, the server has its handle. Waits for the host's answer. */
  claim(server: ListeningServer, place: ClaimPlace, backlog: number): ClaimResult {
    const claim = this.#nextClaim++;
    let reply = this.#ask(claim, place);
    if (reply === null && this.#mayStart(place) && this.#startHost()) reply = this.#ask(claim, place);
    if (reply === null) return { kind: 'no-host', reason: this.#startFailure };
    const isForeign = reply.kind === 'refused' && reply.code === 'PREFIX_UNRESERVED';
    // As without this host: the port may be free.
    if (isForeign && place.kind === 'port') return { kind: 'no-host', reason: '' };
    if (reply.kind !== 'claimed') return { kind: 'refused', error: refusalError(reply, place) };
    const joined = new JoinedServer(server, reply, {
      place,
      backlog,
      onClosed: () => this.#closed(joined),
    });
    this.#servers.set(joined.claim, joined);
    return { kind: 'granted', joined };
  }

  #ask(claim: number, place: ClaimPlace): JoinReply | null {
    if (this.#channel?.isOpen !== true) this.#open();
    return this.#channel?.ask({ kind: 'claim', claim, place, queue: queueSettings(process.env) }) ?? null;
  }

  #open(): void {
    const startMs = performance.now();
    if (startMs < this.#askAgainAtMs) return;
    this.#channel = this.#find();
    const endMs = performance.now();
    if (this.#channel === null && endMs - startMs > SILENT_MS) this.#askAgainAtMs = endMs + SILENCE_PAUSE_MS;
  }

  #find(): JoinChannel | null {
    const background = joinSockets(backgroundHome(this.#home));
    const sockets = [...joinSockets(this.#home), ...background, ...reservedSockets(this.#reserved)];
    const channel = JoinChannel.open(sockets, () => this.#lost());
    if (channel !== null) this.#isBackground = background.includes(channel.path);
    return channel;
  }

  #mayStart(place: ClaimPlace): boolean {
    if (process.platform === 'win32' || this.#start === 'never') return false;
    if (this.#start === 'always' || place.kind === 'prefix') return true;
    return this.#start === 'http' && !place.isSecure;
  }

  /** A host that somebody started comes again by itself, with its ports: none is started in its place for a port. */
  #mayReplace(place: ClaimPlace): boolean {
    const isAsked = place.kind === 'prefix' || this.#start === 'always' || this.#isBackground;
    return isAsked && this.#mayStart(place);
  }

  /** Holds the program up until the host is there. */
  #startHost(): boolean {
    const found = startBackgroundHost(this.#home, () => this.#find());
    if (typeof found === 'string') this.#startFailure = found;
    else this.#channel = found;
    return typeof found !== 'string';
  }

  /** As above for a program that serves already: it goes on while the host starts. */
  #launchHost(): void {
    const nowMs = performance.now();
    if (nowMs < this.#launchAgainAtMs) return;
    this.#launchAgainAtMs = nowMs + LAUNCH_PAUSE_MS;
    launchBackgroundHost(this.#home);
  }

  #closed(joined: JoinedServer): void {
    this.#servers.delete(joined.claim);
    this.#channel?.ask({ kind: 'release', claim: joined.claim });
    if (this.#servers.size > 0) return;
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
  }

  /** The host is gone. Exchanges go on while its fronts live. */
  #lost(): void {
    this.#channel = null;
    this.#retries = 0;
    this.#retryLater([...this.#servers.values()]);
  }

  #retryLater(missing: JoinedServer[]): void {
    if (missing.length === 0) return;
    this.#retries += 1;
    const delayMs = Math.min(this.#retries * RETRY_MS, RETRY_MS_MAX);
    const timer = setTimeout(() => this.#claimAgain(missing), delayMs);
    if (!missing.some((joined) => joined.isReferenced)) timer.unref();
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = timer;
  }

  #claimAgain(missing: JoinedServer[]): void {
    const still: JoinedServer[] = [];
    for (const joined of missing) {
      if (!this.#servers.has(joined.claim)) continue;
      const reply = this.#ask(joined.claim, joined.place);
      if (reply?.kind === 'claimed') joined.link(reply);
      else still.push(joined);
    }
    const isAlone = this.#channel === null || !this.#channel.isOpen;
    if (isAlone && still.some(({ place }) => this.#mayReplace(place))) this.#launchHost();
    this.#retryLater(still);
  }
}

/** What the 'error' event carries: node's own error where node could have failed so. */
function refusalError(reply: JoinReply, place: ClaimPlace): Error {
  if (reply.kind !== 'refused') return new HostError('CONTROL_INVALID', 'the host answered something else');
  const { code, errno, message } = reply;
  if (code === 'TLS_CERTIFICATE_MISSING') {
    return new HostError(code, `${message}; with SLIPSTREAM_JOIN=off the program listens itself, with its own`);
  }
  if (errno === undefined || place.kind !== 'port') return new HostError(code, message);
  const known = [...getSystemErrorMap()].find(([, [name]]) => name === errno);
  const address = place.address === '' ? '::' : place.address;
  const where = `${address}:${place.port}`;
  const text = `listen ${errno}: ${known?.[1][1] ?? message} ${where}`;
  const error = new Error(`${text} (${message})`);
  const fields = { code: errno, errno: known?.[0] ?? 0, syscall: 'listen', address, port: place.port };
  return Object.assign(error, fields);
}

/** The address that a claim names for what node passes to bind. */
export function claimAddress(address: string | null): string {
  return address !== null && net.isIP(address) > 0 ? address : '';
}
