// PollSocket as DevTools wants its transports, and the page around it: title, end of the page, renewal.

import type * as ProtocolClient from 'chrome-devtools-frontend/front_end/core/protocol_client/protocol_client.js';
import { pageClock } from './devtools-clock.ts';
import { keyFields, readPageData, SESSION_END } from './page-data.ts';
import type { SocketLike } from './frame-socket.ts';
import { PageTitle } from './page-title.ts';
import { PollSocket } from './poll-socket.ts';
import { StatusStrip } from './devtools-strip.ts';
import type { SessionSeen } from '../wire/viewer-messages.ts';
import { awaitSession } from './session-return.ts';

type ConnectionTransport = ProtocolClient.ConnectionTransport.ConnectionTransport;

/** Tells the server that the viewer is gone; works while the page goes. */
function farewell(socket: PollSocket): void {
  const url = socket.leave();
  if (url !== undefined) navigator.sendBeacon(url);
}

/** One viewer, opened at once. `onLost` gets the reason when the connection is over for good. */
export class PollTransport implements ConnectionTransport {
  onMessage: ((message: object | string) => void) | null = null;
  #onDisconnect: ((reason: string) => void) | null = null;
  #socket: PollSocket;
  #lastId = 0;

  constructor(base: URL, onLost: (reason: string) => void) {
    const data = readPageData(document);
    const strip = new StatusStrip(data, (viewer, role) => this.#tell('Slipstream.setRole', { viewer, role }));
    const title = new PageTitle(document);
    this.#socket = new PollSocket({
      base: base.href,
      // Only the request that opens a viewer shows the key; a field of ours would make the browser ask twice.
      fetch: (url, request) => {
        const headers = url === base.href ? { ...request.headers, ...keyFields(data) } : request.headers;
        return fetch(url, { ...request, ...(headers !== undefined && { headers }), priority: 'high' });
      },
      // A name of http: is one of ws: too.
      makeSocket: (url) => new WebSocket(url.replace(/^http/, 'ws')) as unknown as SocketLike,
      clock: pageClock,
      onOpened: (opened) => {
        title.tell(opened);
        strip.tell(opened);
        strip.show('connected');
        this.#tell('Slipstream.enable', {});
      },
      onReach: (isReached) => strip.show(isReached ? 'connected' : 'away'),
      onMessage: (message) => {
        title.hear(message);
        if (message.method === 'Inspector.detached') {
          dispatchEvent(new Event(SESSION_END));
          strip.tellLastWords(String(message.params?.['stderr'] ?? ''));
        }
        if (message.method === 'Slipstream.changed') strip.see(message.params as unknown as SessionSeen);
        // V8 announces the text before a live edit as one more script: DevTools would show it in place of the new one.
        else if (message.params?.['isLiveEdit'] === true) return;
        // Answers to what this page says itself are of no use to DevTools.
        else if (message.id === undefined || message.id >= 0) this.onMessage?.(message);
      },
      onLost: (reason) => {
        strip.show('over');
        onLost(reason);
        this.#onDisconnect?.(reason);
        awaitSession({
          base: base.href,
          fetch: (url) => fetch(url, { cache: 'no-store' }),
          clock: pageClock,
          onBack: () => location.reload(),
        });
      },
      // DevTools cannot be told to forget all it knows; the session proxy tells a new page everything again.
      onRenewed: () => location.reload(),
    });
    addEventListener('pagehide', () => farewell(this.#socket));
    // A page that comes back from the browser's memory has no viewer any more.
    addEventListener('pageshow', (event) => {
      if (event.persisted) location.reload();
    });
    void this.#socket.open();
  }

  /** Says something of wire/viewer-messages.ts; ids below zero are ours. */
  #tell(method: string, params: object): void {
    this.#lastId -= 1;
    this.#socket.send(JSON.stringify({ id: this.#lastId, method, params }));
  }

  setOnMessage(onMessage: (message: object | string) => void): void {
    this.onMessage = onMessage;
  }

  setOnDisconnect(onDisconnect: (reason: string) => void): void {
    this.#onDisconnect = onDisconnect;
  }

  sendRawMessage(message: string): void {
    this.#socket.send(message);
  }

  disconnect(): Promise<void> {
    farewell(this.#socket);
    this.#onDisconnect?.('force disconnect');
    this.#onDisconnect = null;
    this.onMessage = null;
    return Promise.resolve();
  }
}
