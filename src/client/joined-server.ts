// One server of a process that joined a host: what it claimed, its links to the fronts, its handle. It emits
// 'listening' when a front has taken the process; requests that come earlier wait in the front.

import { AsyncResource } from 'node:async_hooks';
import net from 'node:net';
import { HostError } from '../base/host-error.ts';
import type { ClaimPlace, JoinReply } from '../wire/join-messages.ts';
import { AppHandle } from './app-handle.ts';
import type { HandleOwner, ListeningServer } from './app-handle.ts';
import type { ExchangeSocket } from './exchange-socket.ts';
import { FrontLinks } from './host-link.ts';
import { adoptServer, exchangeFrames } from './serve-exchange.ts';

/** The answer to a claim that was granted. */
export type Claimed = JoinReply & { kind: 'claimed' };

/**
 *   claimed ──a front took the process──▶ listening ──close()──▶ closing ──last exchange over──▶ closed
 *      └────────────────────────close()──────────────────────────▶ ┘
 */
type JoinedState = 'claimed' | 'listening' | 'closing' | 'closed';

/** Requests that a front sent before it heard of the close are on their way still: so long they are awaited. */
const LINGER_MS = 50;

/** See the head of the file. */
export class JoinedServer implements HandleOwner {
  readonly claim: number;
  /** What to claim after the host was lost: the port that was granted, not 0. */
  readonly place: ClaimPlace;
  readonly handle: AppHandle;
  #backlog: number;
  #state: JoinedState = 'claimed';
  #links: FrontLinks<ExchangeSocket> | null = null;
  /** The listener of 'listening' runs in the context of the call of listen. */
  #scope = new AsyncResource('TCPSERVERWRAP', { requireManualDestroy: true });
  /** In `closing`. */
  #mayCome = false;
  #onClosed: (joined: JoinedServer) => void;

  constructor(
    server: ListeningServer,
    granted: Claimed,
    options: { place: ClaimPlace; backlog: number; onClosed: (joined: JoinedServer) => void },
  ) {
    const { place } = options;
    const { port, address } = granted;
    this.claim = granted.claim;
    this.place = place.kind === 'port' ? { ...place, port, address } : place;
    this.#backlog = options.backlog;
    this.#onClosed = options.onClosed;
    const family = net.isIPv6(address) ? 'IPv6' : 'IPv4';
    this.handle = new AppHandle(this, server, { address, family, port });
    server._handle = this.handle;
    this.link(granted);
  }

  get isReferenced(): boolean {
    return this.handle.isReferenced && this.#state !== 'closed';
  }

  /** Dials the fronts of a host; the links to those of a lost one are given up. */
  link(granted: Claimed): void {
    const { handle } = this;
    this.#links?.stop();
    const links = new FrontLinks<ExchangeSocket>({
      paths: granted.fronts,
      key: granted.key,
      // The process is its user's: it waits for a host as long as it lives.
      graceMs: () => Number.POSITIVE_INFINITY,
      frames: exchangeFrames(() => (this.#state === 'closed' ? null : handle.server)),
      onWelcome: () => this.#welcomed(),
      onIdle: () => this.#settle(),
      onAbandoned: () => {},
    });
    this.#links = links;
    if (this.#state === 'listening') this.#register();
    links.setReferenced(this.isReferenced);
    links.start();
  }

  #welcomed(): void {
    if (this.#state !== 'claimed') return;
    this.#state = 'listening';
    this.#scope.runInAsyncScope(() => {
      const { handle } = this;
      handle.server._listen2(handle.host, handle.port, handle.family, this.#backlog);
      // Behind 'listening', for which node's own listener prepares the server.
      process.nextTick(() => {
        if (this.#state !== 'listening') return;
        adoptServer(handle.server);
        this.#register();
      });
    });
  }

  #register(): void {
    this.#links?.register([], (refusal) => {
      const { server } = this.handle;
      const code = refusal.code === 'LINK_VERSION_MISMATCH' ? 'LINK_REFUSED' : refusal.code;
      server.emit('error', new HostError(code, refusal.message));
      server.close();
    });
  }

  /** The program closed the server. Its exchanges go on. */
  closed(): void {
    this.#state = 'closing';
    const links = this.#links!;
    for (const id of [...links.registrations.keys()]) links.unregister(id);
    links.flush();
    this.#onClosed(this);
    this.#mayCome = true;
    const linger = setTimeout(() => {
      this.#mayCome = false;
      this.#settle();
    }, LINGER_MS);
    if (!this.isReferenced) linger.unref();
    this.updateReference();
  }

  updateReference(): void {
    this.#links?.setReferenced(this.isReferenced);
  }

  #settle(): void {
    if (this.#state !== 'closing' || this.#mayCome || this.#links!.channels > 0) return;
    this.#state = 'closed';
    this.updateReference();
    this.#scope.emitDestroy();
    const links = this.#links!;
    // What the last exchange wrote is still to be sent.
    setImmediate(() => {
      links.flush();
      links.stop();
    });
  }
}
