// A steady load while files change, processes are killed and the configuration breaks: no request is lost.
// The long version is `npm run load`.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { assertFilesClosed, loadRun, openFilesOf, startLoadHost, type Trouble } from './steady-load.ts';

test('no request is lost while files change, processes are killed and settings break', async (t) => {
  const host = await startLoadHost();
  // Fails when a process or socket is left.
  t.after(() => host.stop());
  for (const [trouble, seconds] of [['files', 3], ['config', 3], ['kills', 6]] as [Trouble, number][]) {
    const before = openFilesOf(host);
    const { lost, requests, troubles } = await loadRun(host, { trouble, rate: 60, seconds });
    assert.deepEqual(lost, [], trouble);
    assert.ok(requests > 100 && troubles > 2, `${trouble}: ${requests} requests, ${troubles} times`);
    await assertFilesClosed(host, before);
  }
});
