import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_APP_SETTINGS } from './app-config.ts';
import { isUsageLimited, usageVerdict } from './usage-policy.ts';
import type { AppSettings } from './app-config.ts';

const NONE = DEFAULT_APP_SETTINGS.defaults;
const USED = { ageMs: 5000, requests: 10, active: 0, memoryBytes: 50 * 1_048_576 };

test('usage-policy looks at nothing and does nothing without a limit', () => {
  assert.equal(isUsageLimited(NONE), false);
  assert.deepEqual(usageVerdict(NONE, [USED], 1e9), { kind: 'none' });
});

test('usage-policy replaces processes at each limit, and not below it', () => {
  const rows: [Partial<AppSettings>, Partial<AppSettings>][] = [
    [{ memoryMbMax: 49 }, { memoryMbMax: 50 }],
    [{ ageMaxMs: 5000 }, { ageMaxMs: 5001 }],
    [{ requestsMax: 10 }, { requestsMax: 11 }],
  ];
  for (const [hit, free] of rows) {
    assert.ok(isUsageLimited({ ...NONE, ...hit }));
    const verdict = usageVerdict({ ...NONE, ...hit }, [{ ...USED, ageMs: 1, requests: 1, memoryBytes: 1 }, USED], 0);
    assert.equal(verdict.kind, 'recycle', JSON.stringify(hit));
    assert.deepEqual(usageVerdict({ ...NONE, ...free }, [USED], 0), { kind: 'none' });
  }
  const unknown = usageVerdict({ ...NONE, memoryMbMax: 1 }, [{ ...USED, memoryBytes: undefined }], 0);
  assert.deepEqual(unknown, { kind: 'none' });
});

test('usage-policy lets an idle app rest, unless it shall always run', () => {
  const limits = { ...NONE, idleStopAfterMs: 1000 };
  assert.deepEqual(usageVerdict(limits, [USED], 999), { kind: 'none' });
  assert.deepEqual(usageVerdict(limits, [USED], 1000), { kind: 'rest' });
  assert.deepEqual(usageVerdict({ ...limits, start: 'always' }, [USED], 1000), { kind: 'none' });
  assert.deepEqual(usageVerdict(limits, [], 1000), { kind: 'none' });
});
