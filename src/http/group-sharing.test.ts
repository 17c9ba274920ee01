import { test } from 'node:test';
import assert from 'node:assert/strict';
import { HandClock } from '../base/clock.ts';
import { FRONT_LIMITS } from '../base/limits.ts';
import { defaultsOf } from '../base/setting.ts';
import { FrameWriter } from '../wire/frame.ts';
import type { Group } from '../wire/front-messages.ts';
import { ProcessGroup, type Waiter } from './group.ts';
import { LinkUpstream } from './link-upstream.ts';
import { Ticker } from './ticker.ts';

function makeLink(): LinkUpstream {
  const writer = new FrameWriter({ cork: () => {}, uncork: () => {}, write: () => true });
  return new LinkUpstream({ writer, observer: { exchangeOver: () => {} }, unreadBytes: () => 0, drop: () => {} });
}

function makeGroup(settings: Partial<Group>): {
  links: LinkUpstream[];
  group: ProcessGroup;
  enter: (cookie?: string) => { link: LinkUpstream | null; cookie: string | undefined };
} {
  const group = new ProcessGroup({
    group: { id: 'app', name: 'shop', onDemand: true, ...settings },
    limits: defaultsOf(FRONT_LIMITS),
    ticker: new Ticker(new HandClock()),
    activate: () => {},
  });
  const links = [makeLink(), makeLink(), makeLink()];
  links.forEach((link, index) => group.add(link, `app#${index}`));
  const enter = (cookie?: string): { link: LinkUpstream | null; cookie: string | undefined } => {
    const seen: { link: LinkUpstream | null; cookie: string | undefined } = { link: null, cookie: undefined };
    const waiter: Waiter = {
      serve(link, set) {
        assert.ok(link instanceof LinkUpstream);
        seen.link = links.find((one) => one === link)!;
        seen.cookie = set;
        seen.link.active += 1;
      },
      refuse: () => assert.fail('refused'),
      cookie: (name) => (name === 'sid' ? cookie : undefined),
    };
    group.enter(waiter);
    return seen;
  };
  return { links, group, enter };
}

const STICKY = { sticky: { name: 'sid', path: '/shop/', key: 'secret' } };

test('least-busy prefers the process with the fewest requests, equals take turns', () => {
  const { links, enter } = makeGroup({ balance: 'least-busy' });
  assert.deepEqual([enter(), enter(), enter()].map(({ link }) => links.indexOf(link!)), [0, 1, 2]);
  links[1]!.active = 0;
  assert.equal(enter().link, links[1]);
});

test('the limit of a group holds where it is below that of the front', () => {
  const { enter } = makeGroup({ concurrencyMax: 1 });
  assert.ok([enter(), enter(), enter()].every(({ link }) => link !== null));
  assert.equal(enter().link, null);
});

test('a sticky group sets a cookie once and follows it', () => {
  const { enter } = makeGroup(STICKY);
  const first = enter();
  const value = /^sid=([\w-]{22}); Path=\/shop\/; HttpOnly; SameSite=Lax$/.exec(first.cookie ?? '')?.[1];
  for (let count = 0; count < 5; count++) {
    const next = enter(value);
    assert.equal(next.link, first.link);
    assert.equal(next.cookie, undefined);
  }
});

test('a sticky client whose process is full, gone or made up gets another one and its cookie', () => {
  const { group, enter, links } = makeGroup({ ...STICKY, concurrencyMax: 4 });
  const first = enter();
  const value = /^sid=([^;]+)/.exec(first.cookie ?? '')?.[1];
  first.link!.active = 4;
  const second = enter(value);
  assert.notEqual(second.link, first.link);
  assert.ok(second.cookie !== undefined);
  group.remove(first.link!);
  assert.ok(enter(value).cookie !== undefined);
  assert.ok(links.includes(enter('0').link!));
  assert.ok(enter('0').cookie !== undefined);
});
