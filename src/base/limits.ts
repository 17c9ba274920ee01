// A limit on everything that a client, an app or a viewer can make grow.
// Each row is a setting of the front; docs/settings.md says what happens when it is hit.

import type { SettingsOf } from './setting.ts';

/** The limits of the front. Times in ms, sizes in bytes; 0 means off where the range starts at 0. */
export const FRONT_LIMITS = {
  targetBytesMax: {
    type: 'integer', default: 16_384, min: 64, max: 60_000, unit: 'bytes',
    text: 'Longest request target. Longer: 414.',
  },
  headBytesMax: {
    type: 'integer', default: 65_536, min: 1024, max: 1_048_576, unit: 'bytes',
    text: 'Largest request head, request line included. Larger: 431.',
  },
  headFieldsMax: {
    type: 'integer', default: 200, min: 10, max: 2000, unit: 'fields',
    text: 'Most fields in a request head. More: 431.',
  },
  headTimeoutMs: {
    type: 'integer', default: 60_000, min: 100, max: 3_600_000, unit: 'ms',
    text: 'Longest time from the first byte of a head to its last. Longer: 408.',
  },
  bodyIdleTimeoutMs: {
    type: 'integer', default: 120_000, min: 100, max: 3_600_000, unit: 'ms',
    text: 'Longest wait for the next bytes of a request body. Longer: 408, connection closed.',
  },
  bodyRateMin: {
    type: 'integer', default: 150, min: 0, max: 1_000_000_000, unit: 'bytes/s',
    text: 'Slowest average rate of a request body after its first 10 s. Slower: 408.',
  },
  bodyBytesMax: {
    type: 'integer', default: 0, min: 0, max: Number.MAX_SAFE_INTEGER, unit: 'bytes',
    text: 'Largest request body; 0 is no limit. Larger: 413.',
  },
  keepAliveTimeoutMs: {
    type: 'integer', default: 75_000, min: 0, max: 3_600_000, unit: 'ms',
    text: 'How long an idle connection is kept. Then it is closed.',
  },
  writeStallTimeoutMs: {
    type: 'integer', default: 120_000, min: 100, max: 3_600_000, unit: 'ms',
    text: 'Longest time in which a client takes none of the bytes that wait for it. Then: reset.',
  },
  connectionsMax: {
    type: 'integer', default: 20_000, min: 1, max: 1_000_000, unit: 'connections',
    text: 'Most client connections of one front process. More: 503, connection closed.',
  },
  connectionsPerClientMax: {
    type: 'integer', default: 0, min: 0, max: 1_000_000, unit: 'connections',
    text: 'Most connections from one address to one front process; 0 is no limit. More: 503, connection closed.',
  },
  requestsPerConnectionMax: {
    type: 'integer', default: 0, min: 0, max: 1_000_000_000, unit: 'requests',
    text: 'Most requests on one connection; 0 is no limit. The last answer says close.',
  },
  queueMax: {
    type: 'integer', default: 5000, min: 0, max: 1_000_000, unit: 'requests',
    text:
      'Most requests of one app that wait for a process, split evenly among `frontProcesses`. More: 503 with '
      + 'Retry-After.',
  },
  queueTimeoutMs: {
    type: 'integer', default: 120_000, min: 100, max: 3_600_000, unit: 'ms',
    text: 'Longest wait of a request for a process. Longer: 503 with Retry-After.',
  },
  concurrencyMax: {
    type: 'integer', default: 1024, min: 1, max: 1_000_000, unit: 'requests',
    text:
      'Most requests that one process has at a time, split evenly among `frontProcesses`, at least one each. '
      + 'More wait in the queue.',
  },
  upstreamConnectTimeoutMs: {
    type: 'integer', default: 5000, min: 100, max: 3_600_000, unit: 'ms',
    text: 'Longest time until a connection to a backend is made. Longer: 504.',
  },
  upstreamAnswerTimeoutMs: {
    type: 'integer', default: 120_000, min: 100, max: 3_600_000, unit: 'ms',
    text: 'Longest silence of a backend that has the whole request. Longer: 504, or the connection is cut.',
  },
  upstreamIdleTimeoutMs: {
    type: 'integer', default: 4000, min: 0, max: 3_600_000, unit: 'ms',
    text: 'How long a connection to a backend is kept for another request: less than the backend keeps it.',
  },
  upstreamIdleMax: {
    type: 'integer', default: 128, min: 0, max: 100_000, unit: 'connections',
    text: 'Most connections to one backend that are kept for another request. More are closed.',
  },
  tlsHandshakeTimeoutMs: {
    type: 'integer', default: 15_000, min: 100, max: 3_600_000, unit: 'ms',
    text: 'Longest TLS handshake. Longer: the connection is cut.',
  },
  tlsHandshakesMax: {
    type: 'integer', default: 1000, min: 1, max: 1_000_000, unit: 'handshakes',
    text: 'Most TLS handshakes at a time on one listener. More: the connection is cut.',
  },
  http2StreamsMax: {
    type: 'integer', default: 100, min: 1, max: 10_000, unit: 'requests',
    text: 'Most requests at a time on one HTTP/2 connection. More: the stream is refused.',
  },
  http2NuisancesMax: {
    type: 'integer', default: 200, min: 10, max: 1_000_000, unit: 'frames',
    text:
      'Most HTTP/2 frames in a row that cost more than they ask for: resets of requests under way, pings, '
      + 'settings. A tenth is forgiven each second. More: the connection is closed.',
  },
  cacheBytesMax: {
    type: 'integer', default: 67_108_864, min: 65_536, max: 68_719_476_736, unit: 'bytes',
    text: 'Most bytes that the output cache of one front process keeps. More: the least recently used go.',
  },
} as const;

export type FrontLimits = SettingsOf<typeof FRONT_LIMITS>;

/** Bytes that one side of an exchange may send before the other side gives credit. */
export const CREDIT_WINDOW_BYTES = 524_288;

/** Largest payload of a frame. A longer one ends the link. */
export const FRAME_PAYLOAD_BYTES_MAX = 2_097_152;
