// One viewer's view of the debuggee: flat CDP over one connection. The root session stands for the app and
// answers Target.*; the program is its child target, workers are children of the program. Commands go to
// shared targets; what a viewer does wrong is an error answer to it and nothing else.

import type { CdpMessage } from '../wire/poll-messages.ts';
import type { DebugRole } from './access-grants.ts';
import { auditedText, judgeCommand } from './command-role.ts';
import type { ListedTarget } from './debuggee.ts';
import {
  errorTail,
  METHOD_NOT_FOUND,
  resultTail,
  SERVER_ERROR,
  type ReplyTail,
} from './inspector-client.ts';
import { textOf } from './message-text.ts';
import type { Attachment } from './shared-target.ts';

const INVALID_REQUEST = -32_600;
/** What Chromium says when the session of a command is gone. */
const SESSION_NOT_FOUND = -32_001;
/** Most commands of one viewer without an answer. */
const UNANSWERED_MAX = 5000;

type Params = Record<string, unknown>;

interface Child {
  listed: ListedTarget;
  attachment: Attachment;
}

/** Who the viewer is. */
export interface VirtualSessionOptions {
  /** What the viewer may do now. */
  role(): DebugRole;
  /** Hears of commands that change the program, as they are performed. */
  audit(method: string, text: string): void;
}

/** The session of one viewer. */
export class VirtualSession {
  #threads: () => ListedTarget[];
  /** Sends one message, as text of JSON. */
  #send: (text: string) => void;
  #options: VirtualSessionOptions;
  #children = new Map<string, Child>();
  #isDiscovering = false;
  /** Targets whose children the viewer wants: programs, and the root, which has no name. */
  #attachesBelow = new Set<string | undefined>();
  #unanswered = 0;

  /** `threads` lists what there is, parents before their workers. */
  constructor(threads: () => ListedTarget[], send: (text: string) => void, options: VirtualSessionOptions) {
    this.#options = options;
    this.#threads = threads;
    this.#send = send;
  }

  /** Performs one message of the viewer, whatever it is. */
  receive(message: unknown): void {
    const { id, sessionId, method, params } = (message ?? {}) as CdpMessage;
    if (typeof id !== 'number' || !Number.isSafeInteger(id)) {
      this.#send(`{${errorTail(INVALID_REQUEST, 'a command has a whole number as its id')}`);
      return;
    }
    const isSession = sessionId === undefined || typeof sessionId === 'string';
    const isParams = params === undefined || (typeof params === 'object' && params !== null);
    const head = typeof sessionId === 'string' ? sessionHead(sessionId) : '';
    const answer = (tail: ReplyTail): void => this.#send(`{"id":${id},${head}${tail}`);
    if (typeof method !== 'string' || !isSession || !isParams) {
      answer(errorTail(INVALID_REQUEST, 'a command has a method, and an object as its params'));
    } else if (sessionId === undefined || sessionId === '') {
      this.#performRoot(method, params ?? {}, answer);
    } else {
      this.#performChild(sessionId, method, params ?? {}, answer);
    }
  }

  /** A program or a worker came. */
  attached(listed: ListedTarget): void {
    this.#announce(listed);
    if (this.#attachesBelow.has(listed.parent)) this.#attach(listed, listed.parent);
  }

  /** It is gone, and its workers with it. */
  detached(listed: ListedTarget): void {
    for (const { listed: child } of [...this.#children.values()]) {
      if (child.parent === listed.sessionId) this.detached(child);
    }
    this.#attachesBelow.delete(listed.sessionId);
    this.#detach(listed.sessionId, listed.parent);
    if (this.#isDiscovering) {
      this.#sendEvent('Target.targetDestroyed', { targetId: targetIdOf(listed) });
    }
  }

  /** The session is over: all targets are gone. `stderr`: what the program printed last. */
  ended(reason: string, stderr = ''): void {
    for (const { listed } of [...this.#children.values()].reverse()) this.#detach(listed.sessionId, listed.parent);
    this.#sendEvent('Inspector.detached', { reason, ...(stderr === '' ? {} : { stderr }) });
  }

  /** The viewer left. V8 does not hear of it. */
  close(): void {
    for (const { attachment } of this.#children.values()) attachment.detach();
    this.#children.clear();
  }

  #performRoot(method: string, params: Params, answer: (tail: ReplyTail) => void): void {
    switch (method) {
      case 'Target.setAutoAttach':
        answer(resultTail({}));
        this.#setAutoAttach(undefined, params);
        break;
      case 'Target.setDiscoverTargets':
        answer(resultTail({}));
        this.#isDiscovering = params['discover'] === true;
        for (const listed of this.#threads()) this.#announce(listed);
        break;
      case 'Target.getTargets':
        answer(resultTail({ targetInfos: this.#threads().map((listed) => this.#infoOf(listed)) }));
        break;
      case 'Target.getTargetInfo':
        answer(this.#targetInfo(params['targetId']));
        break;
      case 'Target.attachToTarget':
        this.#attachTo(params['targetId'], answer);
        break;
      case 'Target.detachFromTarget':
        this.#detach(textOf(params['sessionId']), undefined);
        answer(resultTail({}));
        break;
      default:
        answer(method.startsWith('Target.') ? resultTail({}) : notFound(method));
    }
  }

  #performChild(
    sessionId: string,
    method: string,
    params: Params,
    answer: (tail: ReplyTail) => void,
  ): void {
    const child = this.#children.get(sessionId);
    if (child === undefined) {
      answer(errorTail(SESSION_NOT_FOUND, `Session with given id not found: ${sessionId}`));
      return;
    }
    if (method === 'Target.setAutoAttach' && child.listed.type === 'node') {
      answer(resultTail({}));
      this.#setAutoAttach(sessionId, params);
      return;
    }
    if (this.#unanswered >= UNANSWERED_MAX) {
      answer(errorTail(SERVER_ERROR, `more than ${UNANSWERED_MAX} commands wait for an answer`));
      return;
    }
    const role = this.#options.role();
    const verdict = judgeCommand(role, method, params);
    if (verdict === 'refuse') {
      answer(errorTail(SERVER_ERROR, `${method} is not for the role "${role}"`));
      return;
    }
    if (verdict === 'ignore') {
      answer(resultTail({}));
      return;
    }
    const audited = auditedText(method, params);
    if (audited !== null) this.#options.audit(method, audited);
    this.#unanswered += 1;
    child.attachment.perform(method, params, (tail) => {
      this.#unanswered -= 1;
      answer(tail);
    });
  }

  #setAutoAttach(parent: string | undefined, params: Params): void {
    this.#attachesBelow.delete(parent);
    if (params['autoAttach'] !== true) return;
    this.#attachesBelow.add(parent);
    for (const listed of this.#threads()) if (listed.parent === parent) this.#attach(listed, parent);
  }

  #attachTo(targetId: unknown, answer: (tail: ReplyTail) => void): void {
    const listed = this.#threads().find((candidate) => targetIdOf(candidate) === targetId);
    if (listed === undefined) {
      answer(errorTail(SERVER_ERROR, 'No target with given id found'));
      return;
    }
    answer(resultTail({ sessionId: listed.sessionId }));
    this.#attach(listed, undefined);
  }

  #attach(listed: ListedTarget, parent: string | undefined): void {
    const { sessionId } = listed;
    if (this.#children.has(sessionId)) return;
    const head = sessionHead(sessionId);
    const attachment = listed.target.attach((tail) => this.#send(`{${head}${tail}`));
    this.#children.set(sessionId, { listed, attachment });
    const targetInfo = this.#infoOf(listed);
    const params = { sessionId, targetInfo, waitingForDebugger: false };
    this.#sendEvent('Target.attachedToTarget', params, parent);
  }

  #detach(sessionId: string, parent: string | undefined): void {
    const child = this.#children.get(sessionId);
    if (child === undefined) return;
    this.#children.delete(sessionId);
    child.attachment.detach();
    const params = { sessionId, targetId: targetIdOf(child.listed) };
    this.#sendEvent('Target.detachedFromTarget', params, parent);
  }

  #announce(listed: ListedTarget): void {
    if (!this.#isDiscovering) return;
    this.#sendEvent('Target.targetCreated', { targetInfo: this.#infoOf(listed) });
  }

  #targetInfo(targetId: unknown): ReplyTail {
    if (targetId === undefined) {
      const root = { targetId: 'app', type: 'browser', title: 'Slipstream', url: '', attached: true };
      return resultTail({ targetInfo: { ...root, canAccessOpener: false } });
    }
    const listed = this.#threads().find((candidate) => targetIdOf(candidate) === targetId);
    if (listed === undefined) return errorTail(SERVER_ERROR, 'No target with given id found');
    return resultTail({ targetInfo: this.#infoOf(listed) });
  }

  #infoOf(listed: ListedTarget): Params {
    const { type, title, url, sessionId } = listed;
    const attached = this.#children.has(sessionId);
    return { targetId: targetIdOf(listed), type, title, url, attached, canAccessOpener: false };
  }

  #sendEvent(method: string, params: Params, sessionId?: string): void {
    this.#send(JSON.stringify({ ...(sessionId === undefined ? {} : { sessionId }), method, params }));
  }
}

function targetIdOf(listed: ListedTarget): string {
  return `process-${listed.sessionId.slice(1)}`;
}

function sessionHead(sessionId: string): string {
  return `"sessionId":${JSON.stringify(sessionId)},`;
}

function notFound(method: string): ReplyTail {
  return errorTail(METHOD_NOT_FOUND, `'${method}' wasn't found`);
}
