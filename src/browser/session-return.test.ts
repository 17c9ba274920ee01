import { test } from 'node:test';
import assert from 'node:assert/strict';
import { HandClock } from '../base/clock.ts';
import { ASK_LATER_MS, ASK_SOON_MS, awaitSession } from './session-return.ts';

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a page goes to the new session as soon as there is one, and asks nothing more', async () => {
  const clock = new HandClock();
  const asked: string[] = [];
  const answers = ['lost', 410, 204];
  let isBack = 0;
  awaitSession({
    base: 'http://x/shop/debug/cdp/',
    fetch(url) {
      asked.push(url);
      const answer = answers.shift()!;
      return answer === 'lost' ? Promise.reject(new Error('lost')) : Promise.resolve({ status: Number(answer) });
    },
    clock,
    onBack: () => (isBack += 1),
  });
  for (let round = 0; round < 6; round++) {
    clock.advance(ASK_SOON_MS);
    await settle();
  }
  assert.deepEqual(asked, Array.from({ length: 3 }, () => 'http://x/shop/debug/cdp/alive'));
  assert.equal(isBack, 1);
});

test('a page asks seldom after a while and gives up in the end', async () => {
  const clock = new HandClock();
  let asked = 0;
  awaitSession({
    base: 'http://x/d/cdp/',
    fetch() {
      asked += 1;
      return Promise.resolve({ status: 410 });
    },
    clock,
    onBack: () => assert.fail('there is none'),
  });
  for (let round = 0; round < 3000; round++) {
    clock.advance(ASK_LATER_MS);
    await settle();
  }
  assert.ok(asked > 1000 && asked < 2500);
});
