// Who looks at a session: each viewer with what it may do, told to all pages that want to know. A viewer of the full
// role may give others less, or back what they were granted; for somebody who signed in that holds for all pages of
// the same sign-in.

import type { CdpMessage } from '../wire/poll-messages.ts';
import type { SeenViewer, SessionSeen, ViewerRole } from '../wire/viewer-messages.ts';
import { DEBUG_ROLES } from './access-grants.ts';
import type { Visitor } from './access.ts';
import { errorTail, METHOD_NOT_FOUND, resultTail, SERVER_ERROR, type ReplyTail } from './inspector-client.ts';

/** One viewer. */
export interface Person {
  readonly number: number;
  readonly visitor: Visitor;
  role: ViewerRole;
  isListening: boolean;
  /** Sends one message, as text of JSON. */
  send(text: string): void;
}

/** What {@link People} needs. */
export interface PeopleOptions {
  /** What is told besides the viewers. */
  seen(): Pick<SessionSeen, 'app' | 'scope' | 'pauses'>;
  /** Hears who gave whom which role. */
  roleGiven(by: Person, to: Person): void;
}

/** The viewers of one session. */
export class People {
  #options: PeopleOptions;
  #all = new Set<Person>();
  /** Less than what was granted, by the id of a sign-in. */
  #lessened = new Map<string, ViewerRole>();
  #next = 1;

  constructor(options: PeopleOptions) {
    this.#options = options;
  }

  /** How many there are. */
  get count(): number {
    return this.#all.size;
  }

  /** Somebody came. */
  join(visitor: Visitor, send: (text: string) => void): Person {
    const person: Person = { number: this.#next++, visitor, role: this.roleOf(visitor), isListening: false, send };
    this.#all.add(person);
    return person;
  }

  leave(person: Person): void {
    this.#all.delete(person);
  }

  /** What a visitor may do now. */
  roleOf(visitor: Visitor): ViewerRole {
    return this.#lessened.get(visitor.session?.id ?? '') ?? visitor.role;
  }

  /** Performs a message if it is one of wire/viewer-messages.ts; false when it is CDP. */
  perform(person: Person, message: unknown): boolean {
    const { id, method, params } = (message ?? {}) as CdpMessage;
    if (typeof method !== 'string' || !method.startsWith('Slipstream.') || !Number.isSafeInteger(id)) return false;
    const answer = (tail: ReplyTail): void => person.send(`{"id":${id},${tail}`);
    if (method === 'Slipstream.enable') {
      answer(resultTail({}));
      person.isListening = true;
      this.#tell(person);
    } else if (method === 'Slipstream.setRole') {
      answer(this.#setRole(person, params ?? {}));
    } else {
      answer(errorTail(METHOD_NOT_FOUND, `'${method}' wasn't found`));
    }
    return true;
  }

  /** Something changed: tells those who want to know. */
  tellAll(): void {
    for (const person of this.#all) if (person.isListening) this.#tell(person);
  }

  #setRole(by: Person, { viewer, role }: Record<string, unknown>): ReplyTail {
    if (by.role !== 'full') return errorTail(SERVER_ERROR, `your role "${by.role}" gives nobody another one`);
    const to = [...this.#all].find(({ number }) => number === viewer);
    const given = DEBUG_ROLES.find((name) => name === role);
    if (to === undefined || given === undefined) {
      return errorTail(SERVER_ERROR, 'there is no such viewer, or no such role');
    }
    const { role: granted, session } = to.visitor;
    if (DEBUG_ROLES.indexOf(given) > DEBUG_ROLES.indexOf(granted)) {
      return errorTail(SERVER_ERROR, `viewer ${to.number} was granted "${granted}" and no more`);
    }
    if (session === undefined) {
      to.role = given;
    } else {
      this.#lessened.set(session.id, given);
      for (const person of this.#all) if (person.visitor.session?.id === session.id) person.role = given;
    }
    this.#options.roleGiven(by, to);
    this.tellAll();
    return resultTail({});
  }

  #tell(person: Person): void {
    const viewers = [...this.#all].map(({ number, visitor, role }): SeenViewer => {
      return { viewer: number, name: visitor.name, role, granted: visitor.role };
    });
    const params: SessionSeen = { ...this.#options.seen(), self: person.number, viewers };
    person.send(JSON.stringify({ method: 'Slipstream.changed', params }));
  }
}
