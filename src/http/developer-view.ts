// What of a failure a client is shown. Who is at this machine sees its developer parts, and so does a reader elsewhere,
// whom only the host can tell: it is asked where a request brings what a reader may be known by. The host is also asked
// how a process ended whose client may know: it has what the program wrote about it.

import type { Decision, Failure } from '../wire/front-messages.ts';
import { ENDED_GROUPS, READER_COOKIE, READER_GROUPS } from '../wire/reader.ts';
import type { Origin } from '../wire/link-messages.ts';
import { cookieOf } from './cookie.ts';
import type { ProcessGroup } from './group.ts';
import type { RequestHead } from './request-head.ts';

/** A failure as a client is shown it. */
export interface FailureView {
  failure: Failure;
  /** With its developer parts. */
  local: boolean;
}

/** Whose request failed. */
export interface FailedRequest {
  head: RequestHead | null;
  group: ProcessGroup | null;
  /** A question is asked only when the body is whole. */
  client: { readonly origin: Origin; readonly isBodyWhole: boolean };
}

/** Whether a person at this machine is shown another answer than everybody. */
export function hasDeveloperView({ developer, ended }: Failure, group: ProcessGroup | null): boolean {
  return developer.length > 0 || ended !== undefined || group?.errorPages === 'iisnode-local';
}

/** The group to ask the host with; null: there is nothing to ask. */
export function viewQuestion(
  { failure, local }: FailureView,
  { head, group, client: { origin, isBodyWhole } }: FailedRequest,
  { userField }: { userField: string },
): string | null {
  if (head === null || group === null || !isBodyWhole) return null;
  const isClaimed = !local && mayBeReader(head, origin, userField);
  if (failure.ended !== undefined) {
    const isShown = local || isClaimed || group.errorPages === 'iisnode';
    return isShown ? `${ENDED_GROUPS}${failure.ended}` : null;
  }
  return isClaimed && failure.developer.length > 0 ? `${READER_GROUPS}${group.id}` : null;
}

/** It signed in, or a certificate or a proxy says who it is. */
function mayBeReader({ fields }: RequestHead, { tls }: Origin, userField: string): boolean {
  if (cookieOf(fields, READER_COOKIE) !== undefined || tls?.client?.error === '') return true;
  // From others than proxies the field was taken away.
  return userField !== '' && fields.some((name, index) => index % 2 === 0 && name.toLowerCase() === userField);
}

/** What the host's word makes of the view. */
export function viewOf(view: FailureView, decision: Decision | string): FailureView {
  if (typeof decision === 'string' || decision.kind !== 'pass') return view;
  const { failure } = view;
  const { developer = [] } = decision;
  return { failure: { ...failure, developer: [...developer, ...failure.developer] }, local: true };
}
