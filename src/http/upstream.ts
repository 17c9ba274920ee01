// What an exchange needs of whoever answers it: a process behind a link, or a backend that speaks HTTP.

import type { Failure } from '../wire/front-messages.ts';
import type { LinkRequest, Origin } from '../wire/link-messages.ts';
import type { ChannelOwner, ChannelState } from './link-upstream.ts';

/** What an exchange hears of its channel, whatever is behind it. */
export interface ExchangeOwner extends ChannelOwner {
  /** A backend did not answer, or not to the end: the channel is gone. `failure` is for a client without an answer. */
  channelFailed(failure: Failure): void;
}

/** One client connection on one upstream. See link-upstream.ts for the meaning of each call. */
export interface UpstreamChannel {
  readonly link: Upstream;
  readonly state: ChannelState;
  readonly isFull: boolean;
  request(request: LinkRequest, origin: Origin): void;
  data(slice: Buffer, isShared?: boolean): void;
  end(trailers?: readonly string[]): void;
  consumed(bytes: number): void;
  upgrade(): void;
  close(reason?: number): void;
}

/** One that serves a group. */
export interface Upstream {
  /** Exchanges under way, tunnels not counted. */
  readonly active: number;
  /** Its connections are not those of clients: what it says about closing concerns only its own. */
  readonly isHop: boolean;
  /** It stands still for a while that nobody can foresee. */
  readonly isHeld: boolean;
  /** Of a process that the host started. */
  readonly processId?: string | null;
  /** True while it may get another request. */
  hasRoom(concurrencyMax: number): boolean;
  open(owner: ExchangeOwner): UpstreamChannel;
}
