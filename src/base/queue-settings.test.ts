import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bodyPieceBytesMax, queueSettings } from './queue-settings.ts';

test('the names of SLIPSTREAM_ come before those of HTTPSYS_, and what is no count is as unset', () => {
  assert.deepEqual(queueSettings({}), {});
  assert.deepEqual(queueSettings({ HTTPSYS_REQUEST_QUEUE_LENGTH: '7', HTTPSYS_PENDING_READ_COUNT: '2' }), {
    queueMax: 7,
    concurrencyMax: 2,
  });
  const both = { SLIPSTREAM_REQUEST_QUEUE_LENGTH: '8', HTTPSYS_REQUEST_QUEUE_LENGTH: '7' };
  assert.deepEqual(queueSettings(both), { queueMax: 8 });
  for (const text of ['0', '', 'many', '-1', 'NaN']) {
    assert.deepEqual(queueSettings({ HTTPSYS_REQUEST_QUEUE_LENGTH: text }), {}, text);
  }
  assert.deepEqual(queueSettings({ HTTPSYS_PENDING_READ_COUNT: '1e99' }), { concurrencyMax: 1_000_000 });
});

test('the size of the buffer bounds pieces of bodies only where it is set', () => {
  assert.equal(bodyPieceBytesMax({}), Number.POSITIVE_INFINITY);
  assert.equal(bodyPieceBytesMax({ HTTPSYS_BUFFER_SIZE: '4096' }), 4096);
  assert.equal(bodyPieceBytesMax({ HTTPSYS_BUFFER_SIZE: '0' }), Number.POSITIVE_INFINITY);
});
