// One request and its answer, from the head to the last byte: route, maybe ask the host, wait for a process,
// pass on, answer. Exchanges of a connection follow each other in one object; channels stay between them.
//
//   idle ──begin──▶ asking ──pass──▶ queued ──serve──▶ served ──END──▶ idle
//          │           └─answer, refuse─▶ idle            └──upgraded──▶ tunnel
//          └──▶ queued | served | idle (refused, or answered out of the cache)
//                 ▲└─ somebody else fetches the same: cache-gate.ts; a decider has spoken: deciding.ts

import { assert } from '../base/assert.ts';
import type { ErrorCode } from '../base/host-error.ts';
import type { Answer, Decision, Failure } from '../wire/front-messages.ts';
import { RESET_REASON } from '../wire/link-messages.ts';
import type { AnswerMeta } from '../wire/cache-messages.ts';
import { AnswerWriter, type AnswerClient, type AnswerOutput } from './answer-writer.ts';
import { askedRequest, Asking, isAboutServer, isAsked, SERVER_OPTIONS } from './asking.ts';
import { CacheGate, type CacheGateOwner } from './cache-gate.ts';
import type { ClientOutput } from './client-output.ts';
import { cookieOf } from './cookie.ts';
import { Deciding } from './deciding.ts';
import { hasDeveloperView, viewOf, viewQuestion, type FailureView } from './developer-view.ts';
import { renderFailure } from './error-page.ts';
import { forwardedFields, withoutUser } from './forwarded.ts';
import type { ExchangeClient, ExchangeState } from './exchange-client.ts';
import { divertedTarget, type Destination, type FrontContext, type RouteTarget } from './front-context.ts';
import { KeptChannels } from './kept-channels.ts';
import { acceptOf } from './link-request.ts';
import type { ProcessGroup, Waiter } from './group.ts';
import { tooLong } from './request-body.ts';
import type { RequestHead } from './request-head.ts';
import { areSafeFields } from './response-head.ts';
import { BAD_RESPONSE_TEXTS, ResponseReader, type BadResponse } from './response-reader.ts';
import type { FindResult, RouteMatch } from './route-table.ts';
import type { ExchangeOwner, Upstream, UpstreamChannel } from './upstream.ts';
import { routingPath } from './url-prefix.ts';

export type { ExchangeClient, ExchangeState } from './exchange-client.ts';

/** How often a request is looked up anew: when the host says `again`, when a process had just closed. */
const LOOKUPS_MAX = 3;

/** See the file head. */
export class Exchange implements Waiter, ExchangeOwner, AnswerClient, CacheGateOwner {
  #context: FrontContext;
  #client: ExchangeClient;
  #writer: AnswerOutput;
  #reader: ResponseReader;
  #gate: CacheGate;
  #state: ExchangeState = 'idle';
  #head: RequestHead | null = null;
  /** The peer may speak for others. Null: not looked at yet. */
  #isTrusted: boolean | null = null;
  #path = '/';
  /** The way to https, where plain HTTP is not served. */
  #redirect: Answer | null = null;
  #lookups = 0;
  #group: ProcessGroup | null = null;
  /** Of the exchange, or of the last one. */
  #channel: UpstreamChannel | null = null;
  #kept = new KeptChannels();
  #deciding = new Deciding();
  /** Bytes of the channel that the client has not taken yet. */
  #owed = 0;
  #asking: Asking | null = null;

  constructor(context: FrontContext, client: ExchangeClient, output: ClientOutput | AnswerOutput) {
    this.#context = context;
    this.#client = client;
    this.#writer = 'answer' in output ? output : new AnswerWriter(output, this);
    this.#gate = new CacheGate({ context, client, writer: this.#writer, owner: this });
    this.#reader = new ResponseReader(this.#gate);
  }

  get state(): ExchangeState {
    return this.#state;
  }

  /** A person at this machine (docs/ARCHITECTURE.md, Access). */
  get #isLocal(): boolean {
    return this.#context.localClients.isLocal(this.#head, this.#client.origin);
  }

  /** The channel takes no body bytes now. */
  get isFull(): boolean {
    return this.#channel?.isFull === true;
  }

  /** Takes a request. Everything else follows from it. */
  begin(head: RequestHead): void {
    assert(this.#state === 'idle', 'exchanges of a connection follow each other');
    this.#head = head;
    this.#lookups = 0;
    this.#deciding.reset();
    this.#gate.start();
    this.#writer.start(head.method, head.version);
    const { origin } = this.#client;
    const isTrusted = (this.#isTrusted ??= this.#context.trusts(origin.remoteAddress));
    const { userField, localClients } = this.#context;
    if (userField !== '' && !(isTrusted && localClients.mayNameUser(origin))) this.#head = withoutUser(head, userField);
    this.#redirect = this.#context.secureHosts?.settle({ head, origin, isTrusted }, this.#writer) ?? null;
    const path = routingPath(head.path);
    if (path === null) return this.#refuse(400, 'REQUEST_INVALID', 'The path can be read in two ways.');
    if (this.#client.isBodyTooLong) {
      const why = tooLong(this.#context.limits.bodyBytesMax).message;
      return this.#refuse(413, 'REQUEST_BODY_TOO_LARGE', `The request cannot be served: ${why}.`);
    }
    this.#path = path;
    this.#lookUp();
  }

  /** Answers what could not even be read. */
  refuseUnread(failure: Failure): void {
    assert(this.#state === 'idle', 'exchanges of a connection follow each other');
    this.#head = null;
    this.#writer.start('GET', 11);
    this.refuse(failure);
  }

  /** The request turned out to be wrong or too slow. Answers if nothing of an answer is out. */
  fail(failure: Failure): void {
    this.#withdraw(RESET_REASON.CLIENT_GONE);
    this.#gate.leave();
    if (this.#writer.state === 'none') this.refuse(failure);
    else this.#client.abort();
  }

  /** The client connection is gone. */
  clientGone(): void {
    this.#withdraw(RESET_REASON.CLIENT_GONE);
    this.#gate.leave();
    this.#channel?.close();
    this.#channel = null;
    this.#kept.close();
  }

  /** A piece of the request body. `isShared`: see shared-reads.ts. */
  bodyData(slice: Buffer, isShared = false): void {
    this.#channel!.data(slice, isShared);
  }

  bodyEnded(trailers: string[]): void {
    this.#channel!.end(trailers);
  }

  /** The client has taken what was written. */
  settleCredit(): void {
    if (this.#owed === 0) return;
    const owed = this.#owed;
    this.#owed = 0;
    this.#channel?.consumed(owed);
  }

  /** See AnswerWriter.probe. */
  probe(): boolean {
    return this.#writer.probe();
  }

  tick(now: number): void {
    this.#asking?.tick(now);
  }

  answerStarts(closes: boolean): boolean {
    const head = this.#head;
    // RFC 9110 10.1.1: without 100 the client may send the body or the next request. Who knows?
    const isUnclear = head !== null && head.expectContinue && !this.#writer.hasContinued
      && !this.#client.isBodyWhole;
    // What a backend does with its own connection does not concern the client.
    const isOwn = this.#channel?.link.isHop !== true || head?.version === 10;
    return this.#client.answerStarts((closes && isOwn) || isUnclear);
  }

  /** The time of whoever closes first: a program may; a backend's connection is another one. */
  keepAliveMs(saidMs = Infinity): number {
    const { keepAliveTimeoutMs } = this.#context.limits;
    return this.#channel?.link.isHop === true ? keepAliveTimeoutMs : Math.min(saidMs, keepAliveTimeoutMs);
  }

  // --- route and queue

  #find(path: string): FindResult<RouteTarget> {
    const { localPort, localAddress, encrypted } = this.#client.origin;
    const scheme = encrypted ? 'https' : 'http';
    return this.#context.routes.find({ scheme, host: this.#head!.host, port: localPort, localAddress, path });
  }

  #lookUp(): void {
    this.#lookups += 1;
    const found = this.#find(this.#path);
    if (isAboutServer(this.#head!, found)) this.#answer(SERVER_OPTIONS);
    else if (found === 'no-path') this.#refuse(404, 'ROUTE_NOT_FOUND', 'No app serves this path.');
    else if (found === 'no-host') this.#refuse(400, 'HOST_UNKNOWN', 'Nothing is served under this host name.');
    else if (this.#redirect !== null && !found.value.staysPlain) this.#answer(this.#redirect);
    else if (this.#lookups < LOOKUPS_MAX && isAsked(found, this.#path)) this.#ask(found);
    else if (this.#deciding.isNeededFor(found.value)) this.#enter({ group: found.value.decider!, zone: null });
    else this.#enter(divertedTarget(found.value, this.#head!.fields, this.#context));
  }

  #enter({ group, zone }: Destination, addedFields: readonly string[] = []): void {
    if (addedFields.length > 0) this.#writer.addFields(addedFields);
    this.#state = 'queued';
    this.#group = group;
    if (zone === null) return group.enter(this);
    const fields = this.#seenFields();
    this.#gate.ask(zone, group, fields === this.#head!.fields ? this.#head! : { ...this.#head!, fields });
    this.visitCache();
  }

  /** The fields as the app sees them. */
  #seenFields(): string[] {
    const { fields, host } = this.#head!;
    return forwardedFields(fields, { origin: this.#client.origin, isTrusted: this.#isTrusted === true, host });
  }

  /** From the gate: what it waited for is there. */
  visitCache(): void {
    this.#state = 'queued';
    const visit = this.#gate.visit();
    if (visit === 'answered') this.#over();
    else if (visit === 'ask') this.#group!.enter(this);
    else if (visit === 'unavailable') {
      this.#refuse(504, 'CACHE_UNAVAILABLE', 'The answer is not kept, and the request asks for no other.');
    }
  }

  #ask(found: RouteMatch<RouteTarget>): void {
    const { group } = found.value;
    this.#askHost(group.id, found.prefix.path, (decision) => this.#decided(group, decision));
  }

  #askHost(group: string, prefix: string, decided: (decision: Decision | string) => void): void {
    this.#state = 'asking';
    const request = askedRequest(this.#head!, { path: this.#path, local: this.#isLocal, origin: this.#client.origin });
    this.#asking ??= new Asking(this.#context);
    this.#asking.ask({ group, prefix, request }, decided);
  }

  #decided(group: ProcessGroup, decision: Decision | string): void {
    if (typeof decision === 'string') this.#refuse(503, 'UPSTREAM_NONE', decision);
    else if (decision.kind === 'again') this.#lookUp();
    else if (decision.kind === 'pass') this.#enter({ group, zone: null }, decision.fields);
    else if (areSafeFields(decision.answer.fields)) this.#answer(decision.answer);
    else {
      this.#context.log.error('answer-unsafe', { group: group.id });
      this.#refuse(502, 'UPSTREAM_BAD_RESPONSE', 'The answer has a field that cannot be sent.');
    }
  }

  cookie(name: string): string | undefined {
    return cookieOf(this.#head!.fields, name);
  }

  serve(link: Upstream, cookie?: string): void {
    const head = this.#head!;
    const { origin, isBodyWhole } = this.#client;
    this.#state = 'served';
    const channel = this.#channelOn(link);
    if (cookie !== undefined) this.#writer.addFields(['Set-Cookie', origin.encrypted ? `${cookie}; Secure` : cookie]);
    this.#reader.start(head.method);
    const fields = this.#gate.requestFields() ?? this.#seenFields();
    const local = this.#group!.tellsLocal && this.#isLocal;
    channel.request(this.#deciding.request(head, { fields, ended: isBodyWhole, local }), origin);
    if (!isBodyWhole && !this.#deciding.isAsked) this.#client.bodyWanted();
  }

  refuse(failure: Failure): void {
    if (this.#gate.answerInstead()) return this.#over();
    const view = { failure, local: hasDeveloperView(failure, this.#group) && this.#isLocal };
    const answer = ({ failure: seen, local }: FailureView): void =>
      this.#answer(renderFailure(seen, { local, accept: acceptOf(this.#head), pages: this.#group?.errorPages }));
    const question = viewQuestion(view, { head: this.#head, group: this.#group, client: this.#client }, this.#context);
    if (question === null) answer(view);
    else this.#askHost(question, '/', (decision) => answer(viewOf(view, decision)));
  }

  #refuse(status: number, code: ErrorCode, message: string): void {
    this.refuse({ status, code, message, developer: [] });
  }

  #answer(answer: Answer): void {
    this.#writer.answer(answer);
    this.#over();
  }

  // --- channels

  #channelOn(link: Upstream): UpstreamChannel {
    const last = this.#channel;
    if (last !== null && last.link === link) return last;
    if (last !== null) this.#kept.keep(last);
    return (this.#channel = this.#kept.take(link) ?? link.open(this));
  }

  /** Leaves wherever it is, without an answer. */
  #withdraw(reason: number): void {
    this.#asking?.leave();
    this.#group?.leave(this);
    if (this.#state === 'served' || this.#state === 'tunnel') {
      this.#channel?.close(reason);
      this.#dropChannel();
    }
    this.#state = 'idle';
  }

  /** The channel is gone. What was read of an answer is of no use for the next one. */
  #dropChannel(): void {
    this.#channel = null;
    this.#owed = 0;
    this.#reader = new ResponseReader(this.#gate);
  }

  #over(): void {
    this.#state = 'idle';
    this.#group = null;
    this.#head = null;
    this.#client.finishSoon();
    this.#client.answered();
  }

  channelData(buffer: Buffer, start: number, end: number): void {
    this.#owed += end - start;
    this.#client.finishSoon();
    if (this.#deciding.isTold) return;
    if (this.#state === 'tunnel') return this.#client.tunnelData(buffer.subarray(start, end));
    const result = this.#reader.push(buffer, start, end);
    // A program that refuses an upgrade on the bare socket hears that no more comes.
    if (result === 'ended' && this.#head!.upgrade) this.#channel!.end();
    if (result === 'more' || result === 'ended') return;
    if (result !== 'upgraded') this.#badResponse(result.message, result.code);
    // Requests of the client that follow, to other apps maybe, would go into the tunnel.
    else if (!this.#head!.upgrade) this.#badResponse('101 to a request that asked for no other protocol');
    else this.#openTunnel();
  }

  #openTunnel(): void {
    const channel = this.#channel!;
    const rest = this.#reader.rest();
    this.#reader = new ResponseReader(this.#gate);
    this.#state = 'tunnel';
    channel.upgrade();
    this.#client.upgraded(channel);
    this.#client.tunnelData(rest);
  }

  #badResponse(message: string, code: BadResponse['code'] = 'UPSTREAM_BAD_RESPONSE'): void {
    this.#context.log.warn('response-bad', { target: this.#head!.target, message });
    const isWhole = this.#writer.state === 'ended';
    this.#withdraw(RESET_REASON.LIMIT);
    if (isWhole) {
      // The client has its answer; who wrote too much may have meant it for another one.
      this.#client.closeBehind();
      this.#over();
    } else if (this.#writer.state === 'none') {
      this.#refuse(502, code, BAD_RESPONSE_TEXTS[code]);
    } else {
      this.#client.abort();
    }
  }

  channelEnded(): void {
    if (this.#state === 'tunnel') return this.#client.tunnelEnded();
    if (this.#deciding.isTold) {
      this.#handOver();
      return;
    }
    if (this.#reader.finish() === 'ended') {
      if (this.#gate.takeRepeat()) this.visitCache();
      else this.#over();
      return;
    }
    // The channel lives on, but with this reader there is nothing more to read.
    this.#reader = new ResponseReader(this.#gate);
    this.#state = 'idle';
    this.#brokenOff();
  }

  channelClosed(): void {
    this.#client.closeBehind();
  }

  channelMeta(meta: AnswerMeta): void {
    if (!this.#deciding.tell(meta)) this.#gate.tell(meta);
  }

  /** The decider has spoken; what it was to answer was not read. */
  #handOver(): void {
    this.#reader = new ResponseReader(this.#gate);
    this.#state = 'idle';
    const next = this.#deciding.finish((path) => this.#find(path));
    if (next.kind === 'enter') this.#enter(divertedTarget(next.target, this.#head!.fields, this.#context));
    else if (next.kind === 'refuse') this.refuse(next.failure);
    else this.#client.abort();
  }

  channelReset(reason: number): void {
    // The process closed its server while the request was on its way: another one may serve it.
    const isUntouched = reason === RESET_REASON.NO_SERVER && this.#writer.state === 'none' && this.#state === 'served'
      && this.#client.isBodyWhole && this.#head!.body.kind === 'none' && this.#lookups < LOOKUPS_MAX;
    // An answer that is out whole stands; what it came on is closed, as the program wants it.
    const isGivenUp = reason === RESET_REASON.APP_ABORTED || reason === RESET_REASON.APP_RESET;
    if (isGivenUp && this.#writer.state === 'ended') this.#client.closeBehind();
    if (!this.#channelGone(reason).isBroken) return;
    if (isUntouched) this.#lookUp();
    else if (reason === RESET_REASON.APP_ABORTED) this.#brokenOff();
    else if (reason === RESET_REASON.APP_RESET) this.#client.abort();
    else this.#lost('The app broke the exchange off before it answered.');
  }

  channelLost(): void {
    const failure = this.#group?.lost(this.#channel?.link);
    if (this.#channelGone().isBroken) this.#lost('The process ended before it answered.', failure);
  }

  channelFailed(failure: Failure): void {
    if (this.#channelGone().isBroken) this.#lost(failure.message, failure);
  }

  channelWritable(): void {
    this.#client.channelWritable();
  }

  /** A channel of this connection is gone: one between two requests, or that of the exchange. */
  #channelGone(reason: number | null = null): { isBroken: boolean } {
    this.#kept.sweep();
    if (this.#channel?.state !== 'gone') return { isBroken: false };
    const [isTunnel, isBroken] = [this.#state === 'tunnel', this.#state === 'served'];
    if (isTunnel || isBroken) this.#state = 'idle';
    this.#dropChannel();
    const isOver = isBroken && this.#writer.state === 'ended';
    if (isOver) this.#over();
    // A program that destroys a tunnel ends it behind what it wrote.
    if (isTunnel && reason === RESET_REASON.APP_ABORTED) this.#client.breakOff();
    else if (isTunnel) this.#client.abort();
    return { isBroken: isBroken && !isOver };
  }

  /** The program gave the client up. A body that ends with the connection must not seem whole. */
  #brokenOff(): void {
    if (this.#writer.state === 'none' && this.#gate.answerInstead()) this.#over();
    else if (this.#writer.isDelimited) this.#client.breakOff();
    else this.#client.abort();
  }

  /** The app will not answer, or not to the end. */
  #lost(message: string, why: Failure = { status: 502, code: 'UPSTREAM_LOST', message, developer: [] }): void {
    // A decider has not got the body: another one may be asked.
    if (this.#deciding.isAsked && this.#writer.state === 'none' && this.#lookups < LOOKUPS_MAX) this.#lookUp();
    else if (this.#writer.state === 'none') this.refuse(why);
    else if (this.#writer.state === 'ended') this.#over();
    else this.#client.abort();
  }
}
