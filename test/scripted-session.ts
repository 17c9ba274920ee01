// A debugging session that follows a script, over any network: rounds of run, stop, look, step and go on, whose
// record is known before. Commands and stops are told from each other by number, so that one that is lost, late or
// performed twice changes the record.

import assert from 'node:assert/strict';
import { systemClock, type Clock } from '../src/base/clock.ts';
import { PollClient, signIn } from '../src/debug/poll-client.ts';

/** What is debugged: `work` runs when a debugger asks for it. */
export const SCRIPTED_APP = `const http = require('http');
globalThis.looks = {};
globalThis.work = (round) => {
  const first = round * 2;
  const second = first + 1;
  return second + ' after ' + globalThis.looks[round] + ' looks';
};
http.createServer((request, response) => response.end('hello')).listen(process.env.PORT);
`;
/** Zero-based line of \`const first\`. */
const FIRST_LINE = 3;
const LOOKS = 3;

/** Ten times as patient as it looks: the rules are the same, only the pauses are shorter. */
const hurried: Clock = { now: systemClock.now, after: (ms, callback) => systemClock.after(ms / 10, callback) };

interface Reply {
  id?: number;
  method?: string;
  params?: Record<string, unknown>;
  result?: Record<string, unknown>;
  error?: { message: string };
}

interface Pause {
  callFrames: { callFrameId: string; location: { lineNumber: number } }[];
}

/** One viewer: a page, until it is closed or loaded again. */
export class ScriptedViewer {
  readonly messages: Reply[] = [];
  #client: PollClient;
  #main = '';
  #id = 0;
  #pauses = 0;
  #wake: (() => void)[] = [];
  #end: string | null = null;

  private constructor(base: URL, key: string) {
    this.#client = new PollClient({
      base,
      key,
      clock: hurried,
      onMessage: (message) => {
        this.messages.push(message as Reply);
        this.#look();
      },
      onRenewed: () => this.#over('the viewer was opened anew, but nobody was away for that long'),
      onEnd: (reason) => this.#over(reason),
    });
  }

  /** Opens a viewer through `networkUrl` at the app /shop/ of the host, whose debugger runs. */
  static async open(networkUrl: string, hostUrl: string): Promise<ScriptedViewer> {
    const { key } = await signIn(new URL('shop/debug/cdp/', hostUrl), {});
    const viewer = new ScriptedViewer(new URL('shop/debug/cdp/', networkUrl), key);
    await viewer.#client.open();
    await viewer.#call('Target.setAutoAttach', { autoAttach: true, flatten: true });
    const { sessionId } = await viewer.#event('Target.attachedToTarget', 0);
    viewer.#main = String(sessionId);
    await viewer.#call('Runtime.enable');
    await viewer.#call('Debugger.enable');
    return viewer;
  }

  /** As many answers as commands, in any order. */
  assertSingleAnswers(): void {
    const ids = this.messages.flatMap(({ id }) => id ?? []);
    assert.deepEqual(ids, [...new Set(ids)], 'no answer came twice');
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  async armBreakpoint(): Promise<void> {
    await this.#call('Debugger.setBreakpointByUrl', { urlRegex: 'server\\.js$', lineNumber: FIRST_LINE });
  }

  /** Makes the program work; it stops in the midst. */
  async begin(round: number): Promise<void> {
    const expression = `globalThis.done = new Promise((resolve) => setTimeout(() => resolve(work(${round})))); 0`;
    await this.#call('Runtime.evaluate', { expression });
  }

  /** The next stop of which this viewer has not heard: where it is, and its frame. */
  async stop(): Promise<{ line: number; frame: string }> {
    const { callFrames } = (await this.#event('Debugger.paused', this.#pauses++)) as unknown as Pause;
    const { callFrameId, location } = callFrames[0]!;
    return { line: location.lineNumber, frame: callFrameId };
  }

  async value(frame: string, expression: string): Promise<unknown> {
    const { result } = await this.#call('Debugger.evaluateOnCallFrame', { callFrameId: frame, expression });
    return (result as { value: unknown }).value;
  }

  async step(): Promise<void> {
    await this.#call('Debugger.stepOver');
  }

  /** Lets the program go on; what its work came to. */
  async goOn(): Promise<unknown> {
    await this.#call('Debugger.resume');
    const { result } = await this.#call('Runtime.evaluate', { expression: 'done', awaitPromise: true });
    return (result as { value: unknown }).value;
  }

  #over(reason: string): void {
    this.#end = reason;
    this.#look();
  }

  #look(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }

  async #until<Found>(find: () => Found | undefined): Promise<Found> {
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      assert.equal(this.#end, null, String(this.#end));
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  async #call(method: string, params: object = {}): Promise<Record<string, unknown>> {
    const id = ++this.#id;
    const session = this.#main === '' ? {} : { sessionId: this.#main };
    this.#client.send(JSON.stringify({ id, method, params, ...session }));
    const reply = await this.#until(() => this.messages.find((message) => message.id === id));
    assert.equal(reply.error, undefined, `${method}: ${reply.error?.message}`);
    return reply.result ?? {};
  }

  /** The event with this number, from 0. */
  #event(method: string, number: number): Promise<Record<string, unknown>> {
    return this.#until(() => this.messages.filter((message) => message.method === method)[number]?.params);
  }
}

/** What a viewer does at the points of a round where it may be replaced; returns the one that goes on. */
export type Interlude = (viewer: ScriptedViewer, isPaused: boolean) => Promise<ScriptedViewer>;

/** One round; its record, and the viewer at its end. */
export async function scriptedRound(
  start: ScriptedViewer,
  round: number,
  interlude: Interlude = (viewer) => Promise.resolve(viewer),
): Promise<{ record: unknown[]; viewer: ScriptedViewer }> {
  const record: unknown[] = [];
  let viewer = await interlude(start, false);
  const stop = async (): Promise<string> => {
    const { line, frame } = await viewer.stop();
    record.push(line);
    const next = await interlude(viewer, true);
    if (next === viewer) return frame;
    viewer = next;
    // A newcomer is told of the same stop.
    assert.deepEqual(await viewer.stop(), { line, frame });
    return frame;
  };
  await viewer.begin(round);
  const first = await stop();
  for (let look = 0; look < LOOKS; look++) {
    record.push(await viewer.value(first, `globalThis.looks[${round}] = (globalThis.looks[${round}] ?? 0) + 1`));
  }
  for (const name of ['first', 'second']) {
    await viewer.step();
    // Whose frame it is, is known only now.
    const frame = await stop();
    record.push(await viewer.value(frame, name));
  }
  record.push(await viewer.goOn());
  return { record, viewer };
}

/** The record of an undisturbed round. */
export function undisturbedRound(round: number): unknown[] {
  const looks = Array.from({ length: LOOKS }, (_, index) => index + 1);
  const [first, second] = [round * 2, round * 2 + 1];
  return [FIRST_LINE, ...looks, FIRST_LINE + 1, first, FIRST_LINE + 2, second, `${second} after ${LOOKS} looks`];
}
