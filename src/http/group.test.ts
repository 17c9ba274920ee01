import { test } from 'node:test';
import assert from 'node:assert/strict';
import { HandClock } from '../base/clock.ts';
import { FRONT_LIMITS, type FrontLimits } from '../base/limits.ts';
import { defaultsOf } from '../base/setting.ts';
import { FrameWriter } from '../wire/frame.ts';
import type { Failure, Group } from '../wire/front-messages.ts';
import { ProcessGroup, type Waiter } from './group.ts';
import { LinkUpstream } from './link-upstream.ts';
import { Ticker } from './ticker.ts';

const SINK = { cork: () => {}, uncork: () => {}, write: () => true };

function makeLink(): LinkUpstream {
  const observer = { exchangeOver: () => {} };
  const writer = new FrameWriter(SINK);
  return new LinkUpstream({ writer, observer, unreadBytes: () => 0, drop: () => {} });
}

class Request implements Waiter {
  link: LinkUpstream | null = null;
  failure: Failure | null = null;

  serve(link: LinkUpstream): void {
    assert.equal(this.link ?? this.failure, null, 'one call');
    link.active += 1;
    this.link = link;
  }

  refuse(failure: Failure): void {
    assert.equal(this.link ?? this.failure, null, 'one call');
    this.failure = failure;
  }
}

function makeGroup(options: { limits?: Partial<FrontLimits>; group?: Partial<Group> } = {}): {
  group: ProcessGroup;
  clock: HandClock;
  activated: string[];
  enter: () => Request;
} {
  const clock = new HandClock();
  const ticker = new Ticker(clock);
  const activated: string[] = [];
  const group = new ProcessGroup({
    group: { id: 'app', name: 'shop', onDemand: true, ...options.group },
    limits: { ...defaultsOf(FRONT_LIMITS), ...options.limits },
    ticker,
    activate: (id) => activated.push(id),
  });
  ticker.add(group);
  const enter = (): Request => {
    const request = new Request();
    group.enter(request);
    return request;
  };
  return { group, clock, activated, enter };
}

test('requests wait without a limit in time while all processes stand still', () => {
  const { group, clock, enter } = makeGroup({ limits: { queueMax: 2, queueTimeoutMs: 1000 } });
  const link = makeLink();
  group.add(link);
  link.isHeld = true;
  group.setHeld('p1', true);
  const [first, second, third] = [enter(), enter(), enter()];
  clock.advance(60_000);
  assert.deepEqual([first.failure, second.failure], [null, null]);
  assert.equal(third.failure?.code, 'QUEUE_FULL');
  link.isHeld = false;
  group.setHeld('p1', false);
  assert.deepEqual([first.link, second.link], [link, link]);
});

test('one that stands still is passed over', () => {
  const { group, enter } = makeGroup();
  const [held, other] = [makeLink(), makeLink()];
  group.add(held);
  group.add(other);
  held.isHeld = true;
  for (let count = 0; count < 3; count++) assert.equal(enter().link, other);
});

test('processes take turns, full ones are passed over', () => {
  const { group, enter } = makeGroup({ limits: { concurrencyMax: 2 } });
  const links = [makeLink(), makeLink()];
  for (const link of links) group.add(link);
  assert.deepEqual([enter(), enter()].map(({ link }) => links.indexOf(link!)), [0, 1]);
  links[0]!.active = 2;
  assert.equal(enter().link, links[1]);
  assert.equal(enter().link, null, 'both are full: it waits');
  assert.equal(group.waiting, 1);
});

test('200 requests that find no process ask for one once, and all get it', () => {
  const { group, activated, enter } = makeGroup();
  const requests = Array.from({ length: 200 }, enter);
  assert.deepEqual(activated, ['app']);
  const link = makeLink();
  group.add(link);
  assert.ok(requests.every((request) => request.link === link));
  group.remove(link);
  enter();
  assert.deepEqual(activated, ['app', 'app']);
});

test('a failed start answers all that wait, and the next request asks again', () => {
  const { group, activated, enter } = makeGroup();
  const requests = [enter(), enter()];
  const failure: Failure = { status: 500, code: 'APP_EXITED', message: 'no', developer: [] };
  group.failed(failure);
  assert.ok(requests.every((request) => request.failure === failure));
  enter();
  assert.equal(activated.length, 2);
});

test('a group that is started on demand no more answers all that wait for its lost process', () => {
  const { group, enter } = makeGroup();
  const waiting = [enter(), enter()];
  group.update({ id: 'app', name: 'shop', onDemand: false }, defaultsOf(FRONT_LIMITS));
  for (const { failure } of waiting) assert.equal(failure?.code, 'UPSTREAM_NONE');
});

test('a freed place goes to the one that waits longest, and newcomers do not overtake', () => {
  const { group, enter } = makeGroup({ limits: { concurrencyMax: 1 } });
  const link = makeLink();
  group.add(link);
  enter();
  const [second, third] = [enter(), enter()];
  link.active = 0;
  group.dispatch();
  assert.equal(second.link, link);
  assert.equal(third.link, null);
  link.active = 0;
  const late = enter();
  assert.equal(late.link, null);
  group.dispatch();
  assert.equal(third.link, link);
});

test('a full queue refuses at once', () => {
  const { enter } = makeGroup({ limits: { queueMax: 2 } });
  assert.deepEqual([enter().failure, enter().failure], [null, null]);
  const { failure } = enter();
  assert.equal(failure?.status, 503);
  assert.equal(failure?.code, 'QUEUE_FULL');
  assert.equal(failure?.retryAfterSeconds, 1);
});

test('a request waits no longer than queueTimeoutMs', () => {
  const { clock, group, enter } = makeGroup({ limits: { queueTimeoutMs: 5000 } });
  const first = enter();
  clock.advance(4000);
  const second = enter();
  clock.advance(1000);
  assert.equal(first.failure?.code, undefined);
  clock.advance(2000);
  assert.equal(first.failure?.code, 'QUEUE_TIMED_OUT');
  assert.equal(second.failure?.code, undefined);
  clock.advance(4000);
  assert.equal(second.failure?.code, 'QUEUE_TIMED_OUT');
  assert.equal(group.waiting, 0);
});

test('a request that left is neither served nor refused', () => {
  const { group, enter } = makeGroup();
  const request = enter();
  group.leave(request);
  group.add(makeLink());
  assert.equal(request.link, null);
});

test('a group that nobody starts says so, in its own words if it has some', () => {
  const plain = makeGroup({ group: { onDemand: false } }).enter();
  assert.equal(plain.failure?.code, 'UPSTREAM_NONE');
  const absent = { status: 410, code: 'DEBUGGER_NOT_RUNNING' as const, message: 'closed' };
  const { enter, activated } = makeGroup({ group: { onDemand: false, absent } });
  assert.deepEqual(enter().failure, { ...absent, developer: [] });
  assert.deepEqual(activated, []);
});

test('losing the last process asks for another while requests wait, or refuses them', () => {
  const onDemand = makeGroup({ limits: { concurrencyMax: 1 } });
  const link = makeLink();
  onDemand.group.add(link);
  onDemand.enter();
  const waiting = onDemand.enter();
  onDemand.group.remove(link);
  assert.deepEqual(onDemand.activated, ['app']);
  assert.equal(waiting.failure?.code, undefined);

  const fixed = makeGroup({ limits: { concurrencyMax: 1 }, group: { onDemand: false } });
  fixed.group.add(link);
  link.active = 0;
  fixed.enter();
  const refused = fixed.enter();
  fixed.group.remove(link);
  assert.equal(refused.failure?.code, 'UPSTREAM_NONE');
});

test('a dissolved group refuses all that wait', () => {
  const { group, enter } = makeGroup();
  const request = enter();
  group.dissolve();
  assert.equal(request.failure?.status, 503);
});
