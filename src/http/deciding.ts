// Requests to a route with a decider go there first, without their body: the decider answers, or says with META
// what becomes of the request (docs/ARCHITECTURE.md, "Sites"). Pure state of one exchange.
//
//   none ──ask──▶ asked ──META──▶ told ──END──▶ over: the request goes to the group of the path that was named
//                   └──END──▶ the decider has answered itself

import type { AnswerMeta } from '../wire/cache-messages.ts';
import type { Failure } from '../wire/front-messages.ts';
import type { LinkRequest } from '../wire/link-messages.ts';
import type { SiteVerdict } from '../wire/site-messages.ts';
import type { RouteTarget } from './front-context.ts';
import { linkRequest } from './link-request.ts';
import { areSafeFields } from './response-head.ts';
import type { RequestHead } from './request-head.ts';
import type { FindResult } from './route-table.ts';
import { routingPath } from './url-prefix.ts';

type State = { kind: 'none' | 'asked' } | { kind: 'told' | 'over'; verdict: SiteVerdict };

/** What becomes of a request that was decided on. */
export type Next =
  | { kind: 'enter'; target: RouteTarget }
  | { kind: 'refuse'; failure: Failure }
  | { kind: 'abort' };

const NONE: State = { kind: 'none' };
const ASKED: State = { kind: 'asked' };
/** What tells of a body; the decider gets none. */
const BODY_FIELDS = ['content-length', 'transfer-encoding', 'expect', 'trailer'];

/** See the file head. */
export class Deciding {
  #state: State = NONE;

  /** Another request begins. */
  reset(): void {
    this.#state = NONE;
  }

  /** The decider is to be asked, now or again. */
  isNeededFor(target: RouteTarget): boolean {
    if (target.decider === null || this.#state.kind === 'over') return false;
    this.#state = ASKED;
    return true;
  }

  /** The decider has the request, or is about to get it. */
  get isAsked(): boolean {
    return this.#state.kind === 'asked';
  }

  /** What follows of the decider's answer is of no interest. */
  get isTold(): boolean {
    return this.#state.kind === 'told';
  }

  /** Takes META. False: it is not about deciding. Only a decider is listened to. */
  tell({ verdict }: AnswerMeta): boolean {
    if (verdict === undefined || this.#state.kind !== 'asked') return false;
    this.#state = { kind: 'told', verdict };
    return true;
  }

  /** What follows from the verdict, once its END is there. */
  finish(find: (path: string) => FindResult<RouteTarget>): Next {
    const { verdict } = this.#state as State & { kind: 'told' };
    this.#state = { kind: 'over', verdict };
    if (verdict.kind !== 'hand-over') return verdict;
    const path = routingPath(verdict.path);
    const found = path === null ? 'no-path' : find(path);
    // What the host decides on is reached by its own URL only; a table that does not know a new script yet must not
    // lead to another one.
    const isHere = typeof found !== 'string' && (!verdict.isScript || found.prefix.path === path);
    if (!isHere || found.value.ask !== 'never' || found.value.group === found.value.decider) {
      const message = 'No app serves the path that this URL leads to.';
      return { kind: 'refuse', failure: { status: 404, code: 'ROUTE_NOT_FOUND', message, developer: [] } };
    }
    return { kind: 'enter', target: found.value };
  }

  /** The request as it is sent: to the decider without its body and its wish for another protocol. */
  request(
    head: RequestHead,
    { fields, ended, local }: Pick<LinkRequest, 'fields' | 'ended' | 'local'>,
  ): LinkRequest {
    const { kind } = this.#state;
    if (kind === 'asked') {
      const request = linkRequest(head, { fields: without(fields, BODY_FIELDS), ended: true, local });
      return { ...request, upgrade: false };
    }
    if (kind !== 'over' || this.#state.verdict.kind !== 'hand-over') return linkRequest(head, { fields, ended, local });
    const { fields: set } = this.#state.verdict;
    // What a client says under these names must not pass for what the decider says.
    const names = set.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
    const more = areSafeFields(set) ? set : [];
    return linkRequest(head, { fields: [...without(fields, names), ...more], ended, local });
  }
}

function without(fields: readonly string[], names: readonly string[]): string[] {
  const kept: string[] = [];
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index]!;
    if (!names.includes(name.toLowerCase())) kept.push(name, fields[index + 1]!);
  }
  return kept;
}
