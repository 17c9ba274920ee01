// A scripted debugging session over a broken network, for minutes: node dist/scripts/debug-chaos.js [--minutes N]
// [--seed N]. Requests and answers are lost, cut, delayed, reordered and repeated, pages are loaded again or crash,
// the front is killed, the debuggee is killed between rounds. Fails when a stop or an answer differs from the
// undisturbed session. The seed, which is printed, decides what is disturbed.

import assert from 'node:assert/strict';
import { parseArgs } from 'node:util';
import { ChaosNetwork, randomOf } from '../test/chaos-network.ts';
import { startHost, type RunningHost } from '../test/host-fixture.ts';
import { get, until } from '../test/http-client.ts';
import { SCRIPTED_APP, scriptedRound, ScriptedViewer, undisturbedRound } from '../test/scripted-session.ts';

/** One round in so many begins with a new debuggee. */
const ROUNDS_PER_DEBUGGEE = 20;
const ROUNDS_PER_LINE = 50;

function pidsOf(host: RunningHost, role: 'front' | 'app' | 'session'): number[] {
  return host.processes().filter((child) => child.role === role).map(({ pid }) => pid);
}

/** Opens the debugger as a person does: again, until it is there. */
async function openDebugger(host: RunningHost): Promise<void> {
  await until('the debugger is open', async () => {
    const got = await get(`${host.url}shop/debug/`).catch(() => undefined);
    return got?.status === 200 ? true : undefined;
  });
}

/** The session and what disturbs it. */
class Chaos {
  readonly counts: Record<string, number> = {};
  #host: RunningHost;
  #network: ChaosNetwork;
  #random: () => number;

  constructor(host: RunningHost, network: ChaosNetwork, random: () => number) {
    this.#host = host;
    this.#network = network;
    this.#random = random;
  }

  /** Between two steps of the script. */
  async disturb(viewer: ScriptedViewer): Promise<ScriptedViewer> {
    const fate = this.#random();
    if (fate < 0.15) this.#network.cut();
    if (fate < 0.02) this.#killFront();
    if (fate < 0.85) return viewer;
    viewer.assertSingleAnswers();
    this.#count('page loaded again');
    // A page that crashes says nothing more; the server drops it by itself.
    if (fate < 0.95) await viewer.close();
    else void viewer.close();
    return this.open();
  }

  /** Another debuggee, armed with the breakpoint of before. */
  async killDebuggee(viewer: ScriptedViewer): Promise<ScriptedViewer> {
    this.#count('debuggee killed');
    for (const pid of pidsOf(this.#host, 'app')) process.kill(pid, 'SIGKILL');
    await until('the debugger is over', async () => {
      const got = await get(`${this.#host.url}shop/debug/cdp/alive`).catch(() => undefined);
      return got?.status === 410 ? true : undefined;
    });
    await viewer.close();
    await openDebugger(this.#host);
    return this.open();
  }

  /** A viewer, through the network. */
  async open(): Promise<ScriptedViewer> {
    await openDebugger(this.#host);
    return ScriptedViewer.open(this.#network.url, this.#host.url);
  }

  #killFront(): void {
    this.#count('front killed');
    for (const pid of pidsOf(this.#host, 'front')) process.kill(pid, 'SIGKILL');
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '10' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    },
  });
  const [minutes, seed] = [Number(values.minutes), Number(values.seed)];
  console.log(`debug chaos: ${minutes} minutes, seed ${seed}`);
  const random = randomOf(seed);
  const host = await startHost({ files: { 'shop/server.js': SCRIPTED_APP } });
  const network = await ChaosNetwork.start(host.port, random);
  const chaos = new Chaos(host, network, random);
  const endMs = performance.now() + minutes * 60_000;
  let round = 0;
  try {
    let viewer = await chaos.open();
    await viewer.armBreakpoint();
    for (; performance.now() < endMs; round++) {
      if (round % ROUNDS_PER_DEBUGGEE === ROUNDS_PER_DEBUGGEE - 1) viewer = await chaos.killDebuggee(viewer);
      const played = await scriptedRound(viewer, round, (at) => chaos.disturb(at));
      assert.deepEqual(played.record, undisturbedRound(round), `round ${round}`);
      viewer = played.viewer;
      if (round % ROUNDS_PER_LINE === 0) console.log(`round ${round}: as undisturbed`);
    }
    viewer.assertSingleAnswers();
    await viewer.close();
  } catch (error) {
    console.log(host.output().split('\n').slice(-40).join('\n'));
    throw error;
  } finally {
    network.close();
    await host.stop();
  }
  console.log(`debug chaos: ${round} rounds went as undisturbed`);
  console.log(JSON.stringify({ ...chaos.counts, ...network.faults }));
}

await main();
