// What a program says beside an answer: `cacheDuration` and `cacheTags` of the response, or the duration on
// its socket. Read when the head goes out, so that it may be set after writeHead too.

import type { ServerResponse } from 'node:http';
import type { AnswerMeta } from '../wire/cache-messages.ts';
import type { SiteVerdict } from '../wire/site-messages.ts';

/** Marks the response of a decider with its verdict. The front listens to no other process. */
const VERDICT: unique symbol = Symbol.for('slipstream.verdict');

/** What programs set. Anything may be there. */
interface Marked {
  cacheDuration?: unknown;
  cacheTags?: unknown;
  [VERDICT]?: SiteVerdict;
}

/** Ends a response: the front does what the verdict says instead. Means nothing in an app. */
export function giveVerdict(response: ServerResponse, verdict: SiteVerdict): void {
  (response as Marked)[VERDICT] = verdict;
  response.writeHead(204).end();
}

const UINT32_MAX = 4_294_967_295;
const TAGS_MAX = 64;
const TAG_LENGTH_MAX = 256;

function isDuration(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= UINT32_MAX;
}

/** What the front has to know; null: nothing. Values that are no durations or tags do not count. */
export function answerMeta(response: ServerResponse, socket: object): AnswerMeta | null {
  const { cacheDuration: own, cacheTags, [VERDICT]: verdict } = response as Marked;
  const duration = own === undefined ? (socket as Marked).cacheDuration : own;
  const meta: AnswerMeta = {};
  if (isDuration(duration)) meta.duration = duration;
  if (Array.isArray(cacheTags)) {
    const tags = (cacheTags as unknown[]).filter(
      (tag): tag is string => typeof tag === 'string' && tag.length > 0 && tag.length <= TAG_LENGTH_MAX,
    );
    if (tags.length > 0) meta.tags = tags.slice(0, TAGS_MAX);
  }
  if (verdict !== undefined) meta.verdict = verdict;
  return Object.keys(meta).length === 0 ? null : meta;
}
