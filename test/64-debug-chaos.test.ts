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
const SEED = Number(process.env['SLIPSTREAM_CHAOS_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

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
