// The channels of one client connection that its exchange does not use now: one a link, for further requests.

import type { Upstream, UpstreamChannel } from './upstream.ts';

/** See the file head. Most connections have none. */
export class KeptChannels {
  #channels: Map<Upstream, UpstreamChannel> | null = null;

  keep(channel: UpstreamChannel): void {
    (this.#channels ??= new Map<Upstream, UpstreamChannel>()).set(channel.link, channel);
  }

  /** The one on a link, which is not kept any more. */
  take(link: Upstream): UpstreamChannel | undefined {
    const channel = this.#channels?.get(link);
    if (channel !== undefined) this.#channels!.delete(link);
    return channel;
  }

  /** Forgets those that are gone. */
  sweep(): void {
    for (const [link, channel] of this.#channels ?? []) {
      if (channel.state === 'gone') this.#channels!.delete(link);
    }
  }

  /** The client connection is gone. */
  close(): void {
    for (const channel of this.#channels?.values() ?? []) channel.close();
    this.#channels = null;
  }
}
