// Whether a failure is shown with its developer parts to a client that is not at this machine: it shows the cookie of a
// reader, and the host says whether that is worth anything. Only then is it asked; all others are answered at once.

import type { Failure } from '../wire/front-messages.ts';
import { READER_COOKIE, READER_GROUPS } from '../wire/reader.ts';
import { cookieOf } from './cookie.ts';
import type { ProcessGroup } from './group.ts';
import type { RequestHead } from './request-head.ts';

/** The group to ask the host with; null: there is nothing to ask. */
export function readerGroup(failure: Failure, head: RequestHead | null, group: ProcessGroup | null): string | null {
  if (failure.developer.length === 0 || head === null || group === null) return null;
  return cookieOf(head.fields, READER_COOKIE) === undefined ? null : `${READER_GROUPS}${group.id}`;
}
