// A debugging session over a network that loses requests and answers, cuts, delays and answers in place of the
// server, with pages loaded again: what happens is what would have happened undisturbed. SLIPSTREAM_CHAOS_SEED repeats
// a run; `npm run debug-chaos` is the long one.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { ChaosNetwork, randomOf } from './chaos-network.ts';
import { startHost } from './host-fixture.ts';
import { get } from './http-client.ts';
import { SCRIPTED_APP, scriptedRound, ScriptedViewer, undisturbedRound } from './scripted-session.ts';

const ROUNDS = 10;
/** Numbers of {@link ChaosNetwork} that mean one thing each. */
const [LOST, DEAF, LATE, PASSED, TWICE] = [0.05, 0.25, 0.45, 0.7, 0.95];
const NETWORKS: readonly [string, readonly number[]][] = [
  ['that buffers whole answers', [PASSED]],
  ['that drops every third request', [PASSED, PASSED, LOST]],
  ['that loses every third answer', [PASSED, PASSED, DEAF]],
  ['that reorders: late answers, requests that come again behind later ones', [LATE, TWICE, PASSED, TWICE]],
];
const SEED = Number(process.env['SLIPSTREAM_CHAOS_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

for (const [name, fates] of NETWORKS) {
  test(`a session over a network ${name} goes as over a whole one`, async (t) => {
    const host = await startHost({ files: { 'shop/server.js': SCRIPTED_APP } });
    t.after(() => host.stop());
    await get(`${host.url}shop/debug/`);
    let count = 0;
    const network = await ChaosNetwork.start(host.port, () => fates[count++ % fates.length]!);
    t.after(() => network.close());
    const viewer = await ScriptedViewer.open(network.url, host.url);
    t.after(() => viewer.close());
    await viewer.armBreakpoint();
    const { record } = await scriptedRound(viewer, 0);
    assert.deepEqual(record, undisturbedRound(0));
    viewer.assertSingleAnswers();
  });
}

test('a session over a network that cuts everything again and again goes as over a whole one', async (t) => {
  const host = await startHost({ files: { 'shop/server.js': SCRIPTED_APP } });
  t.after(() => host.stop());
  await get(`${host.url}shop/debug/`);
  const network = await ChaosNetwork.start(host.port, () => PASSED);
  t.after(() => network.close());
  const viewer = await ScriptedViewer.open(network.url, host.url);
  t.after(() => viewer.close());
  await viewer.armBreakpoint();
  for (let round = 0; round < 3; round++) {
    const { record } = await scriptedRound(viewer, round, (at) => {
      network.cut();
      return Promise.resolve(at);
    });
    assert.deepEqual(record, undisturbedRound(round));
  }
  assert.equal(network.faults['cut'], 12);
});

test(`a session over a broken network goes as over a whole one (SLIPSTREAM_CHAOS_SEED=${SEED})`, async (t) => {
  const host = await startHost({ files: { 'shop/server.js': SCRIPTED_APP } });
  t.after(() => host.stop());
  await get(`${host.url}shop/debug/`);
  const random = randomOf(SEED);
  const network = await ChaosNetwork.start(host.port, random);
  t.after(() => network.close());
  let viewer = await ScriptedViewer.open(network.url, host.url);
  t.after(() => viewer.close());
  await viewer.armBreakpoint();
  const reloaded = async (earlier: ScriptedViewer): Promise<ScriptedViewer> => {
    const fate = random();
    if (fate < 0.2) network.cut();
    if (fate < 0.85) return earlier;
    earlier.assertSingleAnswers();
    await earlier.close();
    return (viewer = await ScriptedViewer.open(network.url, host.url));
  };
  for (let round = 0; round < ROUNDS; round++) {
    const { record } = await scriptedRound(viewer, round, reloaded);
    assert.deepEqual(record, undisturbedRound(round));
  }
  viewer.assertSingleAnswers();
});
