// Which requests the host decides on, and what it is told of them.

import type { AskedRequest } from '../wire/front-messages.ts';
import type { Origin } from '../wire/link-messages.ts';
import type { RouteTarget } from './front-context.ts';
import type { RequestHead } from './request-head.ts';
import type { RouteMatch } from './route-table.ts';

/** How long the host may think about a request. */
export const ASK_TIMEOUT_MS = 30_000;

/** True when the host decides on a request for `path`, which lies under the prefix that was found. */
export function isAsked(found: RouteMatch<RouteTarget>, path: string): boolean {
  const { ask } = found.value;
  if (ask === 'always') return true;
  // A path under the prefix that is no longer than it is the door, with or without its last slash.
  return ask === 'door' && path.length <= found.prefix.path.length;
}

/** What the host needs to decide. `path` is canonical, `local` judged by the fields as they came. */
export function askedRequest(
  head: RequestHead,
  seen: { path: string; local: boolean; origin: Origin },
): AskedRequest {
  return {
    method: head.method,
    target: head.path + head.query,
    path: seen.path,
    query: head.query,
    fields: head.fields,
    remoteAddress: seen.origin.remoteAddress,
    encrypted: seen.origin.encrypted,
    local: seen.local,
  };
}
