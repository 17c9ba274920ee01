import { test } from 'node:test';
import assert from 'node:assert/strict';
import { AssertionFailure } from '../base/assert.ts';
import { CacheFixture, FixtureClient, request } from './cache.test.support.ts';
import type { CacheTicket } from './cache.ts';

const KEPT = { fields: ['Cache-Control', 'max-age=1000'] };
const NOT_KEPT = { fields: ['Cache-Control', 'no-store'] };

type State = 'asked' | 'filling' | 'passing' | 'closed';
type Event = 'head' | 'data' | 'end' | 'abort' | 'fail' | 'purge';

/** A ticket in a state, with somebody who waits where that is possible. */
function stage(state: State): { fixture: CacheFixture; ticket: CacheTicket; waiter: FixtureClient } {
  const fixture = new CacheFixture({ mode: 'standard' });
  const ticket = fixture.ticket('/a');
  const waiter = new FixtureClient();
  fixture.cache.lookup(fixture.zone, request('/a'), waiter);
  if (state === 'filling') ticket.head(fixture.head({ ...KEPT, isChunked: true }));
  if (state === 'passing') ticket.head(fixture.head(NOT_KEPT));
  if (state === 'closed') fixture.feed(ticket, KEPT);
  return { fixture, ticket, waiter };
}

function perform(event: Event, { fixture, ticket }: { fixture: CacheFixture; ticket: CacheTicket }): string {
  try {
    switch (event) {
      case 'head':
        return ticket.head(fixture.head(KEPT)).kind;
      case 'data':
        ticket.data(Buffer.from('body'));
        return 'taken';
      case 'end':
        ticket.end();
        return 'taken';
      case 'abort':
        ticket.abort();
        return 'taken';
      case 'fail':
        return ticket.fail() === null ? 'nothing' : 'hit';
      case 'purge':
        fixture.cache.purge({ target: '/a' });
        return 'taken';
    }
  } catch (error) {
    assert.ok(error instanceof AssertionFailure, String(error));
    return 'impossible';
  }
}

test('a ticket answers every event in every state', () => {
  const table: Record<State, Record<Event, string>> = {
    asked: { head: 'pass', data: 'taken', end: 'impossible', abort: 'taken', fail: 'nothing', purge: 'taken' },
    filling: {
      head: 'impossible', data: 'taken', end: 'taken', abort: 'taken', fail: 'impossible', purge: 'taken',
    },
    passing: {
      head: 'impossible', data: 'taken', end: 'taken', abort: 'taken', fail: 'impossible', purge: 'taken',
    },
    closed: {
      head: 'impossible', data: 'taken', end: 'taken', abort: 'taken', fail: 'impossible', purge: 'taken',
    },
  };
  for (const [state, row] of Object.entries(table)) {
    for (const [event, expected] of Object.entries(row)) {
      const staged = stage(state as State);
      assert.equal(perform(event as Event, staged), expected, `${event} in ${state}`);
    }
  }
});

test('whatever ends a ticket wakes who waits, once, and gives every byte back that is not kept', () => {
  for (const state of ['asked', 'filling', 'passing'] as const) {
    for (const event of ['end', 'abort', 'fail', 'purge'] as const) {
      const staged = stage(state);
      if (perform(event, staged) === 'impossible') continue;
      const { fixture, ticket, waiter } = staged;
      assert.equal(waiter.readyCount, 1, `${event} in ${state}`);
      if (event === 'purge') ticket.abort();
      assert.equal(waiter.readyCount, 1, `${event} in ${state}, then the end`);
      assert.equal(fixture.cache.store.bytes > 0, state === 'filling' && event === 'end');
      fixture.cache.close();
    }
  }
});

test('a body is the same however it is cut into pieces', () => {
  const body = Buffer.from('0123456789'.repeat(3));
  for (const isChunked of [true, false]) {
    for (let cut = 0; cut <= body.length; cut++) {
      const fixture = new CacheFixture({ mode: 'standard' });
      const ticket = fixture.ticket('/a');
      ticket.head(fixture.head({ ...KEPT, isChunked, body: body.toString() }));
      const pieces = [body.subarray(0, cut), Buffer.alloc(0), body.subarray(cut)].map((piece) => Buffer.from(piece));
      for (const piece of pieces) {
        ticket.data(piece);
        // What arrives is a view into memory that is used again.
        piece.fill('!');
      }
      ticket.end();
      assert.equal(fixture.fetch('/a').body, body.toString(), `cut at ${cut}`);
    }
  }
});

test('a large body of unknown length grows by pieces and becomes one', () => {
  const fixture = new CacheFixture({ mode: 'standard' });
  const ticket = fixture.ticket('/a');
  ticket.head(fixture.head({ ...KEPT, isChunked: true }));
  const pieces = Array.from({ length: 300 }, (_, index) => Buffer.alloc(1 + index * 7, String(index % 10)));
  for (const piece of pieces) ticket.data(piece);
  ticket.end();
  assert.equal(fixture.fetch('/a').body, Buffer.concat(pieces).toString());
});

test('a length that does not hold keeps nothing', () => {
  for (const sent of ['fo', 'fours']) {
    const fixture = new CacheFixture({ mode: 'standard' });
    const ticket = fixture.ticket('/a');
    ticket.head(fixture.head({ ...KEPT, body: 'four' }));
    ticket.data(Buffer.from(sent));
    ticket.end();
    assert.equal(fixture.cache.store.bytes, 0, sent);
    assert.equal(fixture.cache.show().counters.refused.broken, 1, sent);
  }
});

test('tags have a bound', () => {
  const fixture = new CacheFixture({ mode: 'standard' });
  const tags = Array.from({ length: 500 }, (_, index) => `t${index}`);
  fixture.fetch('/a', {}, { ...KEPT, wish: { tags: ['x'.repeat(300), ...tags] } });
  assert.equal(fixture.cache.list()[0]!.tags.length, 64);
});

test('a waiter that looks up while the leader is answered does not disturb that answer', () => {
  const fixture = new CacheFixture({ mode: 'standard' });
  fixture.fetch('/a', {}, { fields: ['Cache-Control', 'max-age=1', 'ETag', '"a"'], body: 'kept' });
  fixture.clock.advance(2000);
  const ticket = fixture.ticket('/a');
  const client = new FixtureClient();
  const asked = request('/a', { fields: ['Range', 'bytes=0-0'] });
  assert.equal(fixture.cache.lookup(fixture.zone, request('/a'), client).kind, 'wait');
  client.onReady = () => fixture.cache.lookupAgain(fixture.zone, asked, client);
  const verdict = ticket.head(fixture.head({ status: 304, body: '', fields: ['Cache-Control', 'max-age=9'] }));
  assert.ok(verdict.kind === 'hit');
  assert.equal(client.readyCount, 1);
  assert.match(verdict.bytes.toString(), /kept$/);
});
