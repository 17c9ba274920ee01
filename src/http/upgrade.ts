// A connection after a change of protocol: bytes both ways, under the channel's credit, each half ended on its
// own. What the client sent before the answer came is the first that goes to the app.
//
//   open ──client-end──▶ client-ended ──app-end──▶ ended
//     └────app-end────▶ app-ended ────client-end──▶ ended

import { assert } from '../base/assert.ts';
import type { ClientOutput } from './client-output.ts';
import type { UpstreamChannel } from './upstream.ts';

export type TunnelState = 'open' | 'client-ended' | 'app-ended' | 'ended';

export type TunnelEvent = 'client-end' | 'app-end';

/** The only place where a tunnel changes. Ends may come again: the later ones mean nothing. */
export function stepTunnel(state: TunnelState, event: TunnelEvent): TunnelState {
  const mine = event === 'client-end' ? 'client-ended' : 'app-ended';
  if (state === 'open') return mine;
  return state === mine ? state : 'ended';
}

/** The client's side of a tunnel. */
export type TunnelOutput = Pick<ClientOutput, 'bytes' | 'end'>;

/** Joins a client and a channel. */
export class Tunnel {
  #channel: UpstreamChannel;
  #output: TunnelOutput;
  #state: TunnelState = 'open';

  constructor(channel: UpstreamChannel, output: TunnelOutput) {
    assert(channel.state === 'tunnel', 'the app agreed to a tunnel');
    this.#channel = channel;
    this.#output = output;
  }

  get state(): TunnelState {
    return this.#state;
  }

  /** The app takes no more for now. */
  get isFull(): boolean {
    return this.#channel.isFull;
  }

  fromClient(slice: Buffer): void {
    if (slice.length > 0) this.#channel.data(slice);
  }

  /** The client sends no more. */
  clientEnded(): void {
    if (this.#state === 'client-ended' || this.#state === 'ended') return;
    this.#state = stepTunnel(this.#state, 'client-end');
    this.#channel.end();
  }

  fromApp(slice: Buffer): void {
    if (slice.length > 0 && (this.#state === 'open' || this.#state === 'client-ended')) this.#output.bytes(slice);
  }

  /** The app sends no more. */
  appEnded(): void {
    if (this.#state === 'app-ended' || this.#state === 'ended') return;
    this.#state = stepTunnel(this.#state, 'app-end');
    this.#output.end();
  }
}
