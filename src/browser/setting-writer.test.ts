import { test } from 'node:test';
import assert from 'node:assert/strict';
import { HandClock } from '../base/clock.ts';
import { SETTING_CHARACTERS_MAX, SettingWriter } from './setting-writer.ts';
import type { SettingRequest } from './setting-writer.ts';

interface Scene {
  writer: SettingWriter;
  clock: HandClock;
  bodies: unknown[];
  requests: SettingRequest[];
  /** Statuses of the next answers; 0 is none. Then 204. */
  statuses: number[];
}

function scene(): Scene {
  const clock = new HandClock();
  const bodies: unknown[] = [];
  const requests: SettingRequest[] = [];
  const statuses: number[] = [];
  const writer = new SettingWriter({
    url: 'http://host/cdp/settings',
    clock,
    fetch: (_url, request) => {
      requests.push(request);
      bodies.push(JSON.parse(request.body));
      const status = statuses.shift() ?? 204;
      return status === 0 ? Promise.reject(new TypeError('network')) : Promise.resolve({ status });
    },
  });
  return { writer, clock, bodies, requests, statuses };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('SettingWriter gathers changes for at most 200 ms; the last one of a name counts', async () => {
  const { writer, clock, bodies } = scene();
  writer.change('a', '1');
  clock.advance(100);
  writer.change('a', '2');
  writer.change('b', null);
  clock.advance(100);
  await settle();
  assert.deepEqual(bodies, [{ a: '2', b: null }]);
  clock.advance(10_000);
  await settle();
  assert.equal(bodies.length, 1);
});

for (const status of [0, 503]) {
  test(`SettingWriter tries again after ${status === 0 ? 'no answer' : status}, and newer values win`, async () => {
    const { writer, clock, bodies, statuses } = scene();
    statuses.push(status, status);
    writer.change('a', '1');
    writer.change('b', '1');
    clock.advance(200);
    writer.change('a', '2');
    await settle();
    clock.advance(500);
    await settle();
    clock.advance(1000);
    await settle();
    assert.deepEqual(bodies, [
      { a: '1', b: '1' },
      { a: '2', b: '1' },
      { a: '2', b: '1' },
    ]);
  });
}

test('SettingWriter does not repeat what is refused, and goes on with the next change', async () => {
  const { writer, clock, bodies, statuses } = scene();
  statuses.push(413);
  writer.change('a', '1');
  clock.advance(200);
  await settle();
  writer.change('b', '1');
  clock.advance(200);
  await settle();
  clock.advance(60_000);
  await settle();
  assert.deepEqual(bodies, [{ a: '1' }, { b: '1' }]);
});

test('SettingWriter hands everything over when the page goes, in requests that outlive it', () => {
  const { writer, clock, bodies, requests } = scene();
  writer.change('a', 'x'.repeat(15_000));
  writer.change('b', 'y'.repeat(15_000));
  writer.flush();
  assert.deepEqual(bodies.map((body) => Object.keys(body as object)), [['a'], ['b']]);
  assert.ok(requests.every(({ keepalive }) => keepalive));
  clock.advance(1000);
  assert.equal(bodies.length, 2);
});

test('SettingWriter hands over again what is not answered yet', () => {
  const { writer, clock, bodies } = scene();
  writer.change('a', '1');
  clock.advance(200);
  writer.change('b', '1');
  writer.flush();
  assert.deepEqual(bodies, [{ a: '1' }, { a: '1', b: '1' }]);
});

test('SettingWriter keeps a huge value in the page', () => {
  const { writer, clock, bodies } = scene();
  writer.change('a', 'x'.repeat(SETTING_CHARACTERS_MAX + 1));
  clock.advance(200);
  assert.deepEqual(bodies, []);
});
