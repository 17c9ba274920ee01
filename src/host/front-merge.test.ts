// The numbers of several fronts as one, and the shares of a limit.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { defaultsOf } from '../base/setting.ts';
import { FRONT_LIMITS } from '../base/limits.ts';
import type { CacheReport, CacheRow } from '../wire/cache-messages.ts';
import type { FrontReport } from '../wire/front-messages.ts';
import { groupsOf, limitsOf, mergeCacheAnswers, mergeReports, shareOf } from './front-merge.ts';

const NO_COUNTS = {
  hits: 0, stale: 0, misses: 0, bypassed: 0, unavailable: 0, collapsed: 0, revalidated: 0, stored: 0, evicted: 0,
  expired: 0, purged: 0, refused: {},
};

function cacheReport(hits: number, refused: Record<string, number>): CacheReport {
  return { bytes: 10, bytesMax: 100, entries: 1, counters: { ...NO_COUNTS, hits, refused } };
}

function report(pid: number, numbers: Partial<FrontReport>): FrontReport {
  return {
    pid, connections: 1, requests: 2, waiting: {}, active: {}, served: {}, cache: cacheReport(0, {}), ...numbers,
  };
}

function row(url: string, numbers: Partial<CacheRow>): CacheRow {
  return { url, status: 200, bytes: 5, ageSeconds: 1, freshSeconds: 9, hits: 1, vary: [], tags: [], ...numbers };
}

test('mergeReports adds up what fronts counted, by group and by process', () => {
  const merged = mergeReports([
    report(1, { waiting: { shop: 1 }, served: { a: 3 }, active: { a: 1 }, cache: cacheReport(4, { private: 1 }) }),
    report(2, {
      waiting: { shop: 2, blog: 1 }, served: { a: 4, b: 5 }, cache: cacheReport(5, { private: 2, large: 1 }),
    }),
  ]);
  assert.deepEqual(merged, {
    pid: 1, connections: 2, requests: 4, waiting: { shop: 3, blog: 1 }, served: { a: 7, b: 5 }, active: { a: 1 },
    cache: {
      bytes: 20, bytesMax: 200, entries: 2, counters: { ...NO_COUNTS, hits: 9, refused: { private: 3, large: 1 } },
    },
  });
  assert.equal(mergeReports([]), undefined);
});

test('mergeCacheAnswers shows one row for what several fronts keep', () => {
  const answer = mergeCacheAnswers([
    { kind: 'shown', report: cacheReport(1, {}), rows: [row('/a', { hits: 2, tags: ['x'] }), row('/b', {})] },
    { kind: 'shown', report: cacheReport(2, {}), rows: [row('/a', { hits: 3, ageSeconds: 0, freshSeconds: 10 })] },
  ]);
  assert.ok(answer?.kind === 'shown');
  assert.equal(answer.report.counters.hits, 3);
  assert.deepEqual(answer.rows, [
    row('/a', { bytes: 10, hits: 5, ageSeconds: 0, freshSeconds: 10, tags: ['x'] }), row('/b', {}),
  ]);
});

test('mergeCacheAnswers calls a purge valid when each front could do it', () => {
  const purged = (isValid: boolean): { kind: 'purged'; isValid: boolean } => ({ kind: 'purged', isValid });
  assert.deepEqual(mergeCacheAnswers([purged(true), purged(true)]), purged(true));
  assert.deepEqual(mergeCacheAnswers([purged(true), purged(false)]), purged(false));
  assert.equal(mergeCacheAnswers([]), null);
});

test('shares of a limit add up to it', () => {
  for (const limit of [0, 1, 2, 3, 10, 5000]) {
    assert.equal([0, 1, 2].reduce((sum, index) => sum + shareOf(limit, index, 3), 0), limit);
  }
});

test('limitsOf splits what bounds an app, and leaves one front alone', () => {
  const limits = { ...defaultsOf(FRONT_LIMITS), queueMax: 4, concurrencyMax: 1 };
  assert.equal(limitsOf(limits, 0, 1), limits);
  assert.deepEqual([0, 1, 2].map((index) => limitsOf(limits, index, 3).queueMax), [2, 1, 1]);
  assert.deepEqual([0, 1, 2].map((index) => limitsOf(limits, index, 3).concurrencyMax), [1, 1, 1]);
  assert.equal(limitsOf(limits, 2, 3).connectionsMax, limits.connectionsMax);
  const groups = [{ id: 'a', name: 'a', onDemand: true, concurrencyMax: 5 }, { id: 'b', name: 'b', onDemand: true }];
  assert.deepEqual(groupsOf(groups, 2, 3).map(({ concurrencyMax }) => concurrencyMax), [1, undefined]);
});
