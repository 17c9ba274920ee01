import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { CdpMessage } from '../wire/poll-messages.ts';
import type { SessionSeen } from '../wire/viewer-messages.ts';
import type { Visitor } from './access.ts';
import { People, type Person } from './people.ts';

const LOCAL: Visitor = { name: 'local', role: 'full' };

function guest(id: string, role: Visitor['role']): Visitor {
  return { name: id.slice(0, 4), role, session: { id, app: '/x/', role, expiresMs: Infinity } };
}

function scene(): {
  people: People;
  join: (visitor: Visitor) => Person & { heard: CdpMessage[] };
  given: string[];
} {
  const given: string[] = [];
  const people = new People({
    seen: () => ({ app: 'shop', scope: 'everyone', pauses: [] }),
    roleGiven: (by, to) => given.push(`${by.number} gives ${to.number} ${to.role}`),
  });
  const join = (visitor: Visitor): Person & { heard: CdpMessage[] } => {
    const heard: CdpMessage[] = [];
    const person = people.join(visitor, (text) => heard.push(JSON.parse(text) as CdpMessage));
    return Object.assign(person, { heard });
  };
  return { people, join, given };
}

const seenOf = ({ heard }: { heard: CdpMessage[] }): SessionSeen => heard.at(-1)!.params as unknown as SessionSeen;

test('whoever wants to know is told who is there and may do what, now and when it changes', () => {
  const { people, join } = scene();
  const one = join(LOCAL);
  people.perform(one, { id: -1, method: 'Slipstream.enable' });
  assert.deepEqual(one.heard[0], { id: -1, result: {} });
  assert.deepEqual(seenOf(one).viewers, [{ viewer: 1, name: 'local', role: 'full', granted: 'full' }]);
  const two = join(guest('abcdef', 'step'));
  people.tellAll();
  assert.deepEqual(seenOf(one).viewers.map(({ name, role }) => [name, role]), [['local', 'full'], ['abcd', 'step']]);
  assert.equal(seenOf(one).self, 1);
  assert.deepEqual(two.heard, [], 'it did not ask');
  people.leave(two);
  people.tellAll();
  assert.equal(seenOf(one).viewers.length, 1);
});

test('the full role gives others less and back, never more than they were granted', () => {
  const { people, join, given } = scene();
  const boss = join(LOCAL);
  const guestOne = join(guest('abcdef', 'step'));
  const sameGuest = join(guest('abcdef', 'step'));
  const set = (by: Person & { heard: CdpMessage[] }, viewer: unknown, role: unknown): string => {
    people.perform(by, { id: 7, method: 'Slipstream.setRole', params: { viewer, role } });
    return by.heard.findLast(({ id }) => id === 7)!.error?.message ?? 'done';
  };
  assert.match(set(boss, 2, 'full'), /granted "step" and no more/);
  assert.match(set(guestOne, 1, 'observe'), /your role "step"/);
  assert.match(set(boss, 9, 'observe'), /no such viewer/);
  assert.match(set(boss, 2, 'king'), /no such role/);
  assert.equal(set(boss, 2, 'observe'), 'done');
  assert.deepEqual([guestOne.role, sameGuest.role], ['observe', 'observe'], 'all pages of one sign-in');
  assert.equal(join(guest('abcdef', 'step')).role, 'observe', 'loading the page again changes nothing');
  assert.equal(set(boss, 3, 'step'), 'done');
  assert.equal(guestOne.role, 'step');
  assert.deepEqual(given, ['1 gives 2 observe', '1 gives 3 step']);
});

test('only messages of this protocol are taken', () => {
  const { people, join } = scene();
  const one = join(LOCAL);
  assert.equal(people.perform(one, { id: 1, method: 'Runtime.enable' }), false);
  assert.equal(people.perform(one, null), false);
  assert.equal(people.perform(one, { method: 'Slipstream.enable' }), false);
  assert.equal(people.perform(one, { id: 1, method: 'Slipstream.nothing' }), true);
  assert.equal(one.heard[0]!.error?.code, -32601);
});
