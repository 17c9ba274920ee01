// An editor at a local address while the network is away for hours: it stays attached and hears what it missed, once.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { WebSocket } from 'ws';
import { HandClock, systemClock, type Clock } from '../base/clock.ts';
import { VIEWER_AWAY_MS, type CdpMessage } from '../wire/poll-messages.ts';
import type { SessionReport } from '../wire/session-messages.ts';
import { attach } from './attach.ts';
import { BASE, cleanups, Page, scene, type Json } from './session-proxy.test.support.ts';

const HOURS_MS = 3_600_000;
const PROGRAM = `
function work(text) {
  const answer = 'heard ' + text.trim();
  console.log(answer);
  return answer;
}
process.stdin.on('data', (text) => work(String(text)));
`;
/** Zero-based line of \`return answer\`. */
const RETURN_LINE = 4;

/** Asks again at once: what is tested is not how long it waits. */
const hurried: Clock = { ...systemClock, after: (ms, callback) => systemClock.after(ms / 50, callback) };

/** A network that can be away. */
class Network {
  isAway = false;
  #sockets = new Set<Socket>();
  #server = createServer((near) => {
    if (this.isAway) return void near.destroy();
    const far = connect(this.#port, '127.0.0.1');
    for (const [from, to] of [[near, far], [far, near]] as const) {
      this.#sockets.add(from);
      from.on('error', () => from.destroy());
      from.on('close', () => to.destroy());
      from.pipe(to);
    }
  });
  #port: number;

  constructor(origin: string) {
    this.#port = Number(new URL(origin).port);
    cleanups.push(() => {
      this.leave();
      this.#server.close();
    });
  }

  async open(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  leave(): void {
    this.isAway = true;
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** A CDP client that knows nothing of all this. */
class Editor {
  readonly messages: CdpMessage[] = [];
  #socket: WebSocket;
  #wake: (() => void)[] = [];
  #id = 0;

  constructor(url: string) {
    this.#socket = new WebSocket(url);
    this.#socket.on('message', (data: Buffer) => {
      this.messages.push(JSON.parse(data.toString()) as CdpMessage);
      for (const wake of this.#wake.splice(0)) wake();
    });
    cleanups.push(() => this.#socket.terminate());
  }

  opened(): Promise<unknown> {
    return once(this.#socket, 'open');
  }

  post(method: string, params: object = {}): number {
    const id = ++this.#id;
    this.#socket.send(JSON.stringify({ id, method, params }));
    return id;
  }

  reply(id: number): Promise<CdpMessage> {
    return this.until(() => this.messages.find((message) => message.id === id));
  }

  async call(method: string, params: object = {}): Promise<Json> {
    const { result, error } = await this.reply(this.post(method, params));
    assert.equal(error, undefined, `${method}: ${error?.message}`);
    return result;
  }

  events(method: string): Json[] {
    return this.messages.filter((message) => message.method === method).map((message) => message.params);
  }

  async until<Found>(find: () => Found | undefined): Promise<Found> {
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }
}

interface Attached {
  clock: HandClock;
  reports: SessionReport[];
  child: ChildProcess;
  network: Network;
  /** What `slipstream attach` would print. */
  events: string[];
  editor: Editor;
  breakpointId: string;
  origin: string;
  /** The network goes, for as long as it takes until the viewer is dropped. */
  leave(): Promise<void>;
}

/** A program with an editor behind a network, stopped at the end of \`work\` whenever it has worked. */
async function attached(): Promise<Attached> {
  const clock = new HandClock();
  const reports: SessionReport[] = [];
  const onReport = (report: SessionReport): void => void reports.push(report);
  const { url, child, origin } = await scene(PROGRAM, { clock, onReport });
  const network = new Network(origin);
  const events: string[] = [];
  const address = await attach({
    url: `${await network.open()}${BASE}`,
    port: 0,
    clock: hurried,
    onEvent: (text) => events.push(text),
  });
  cleanups.push(() => address.close());
  const editor = new Editor(address.socketUrl);
  await editor.opened();
  await editor.call('Runtime.enable');
  await editor.call('Debugger.enable');
  const { breakpointId } = await editor.call('Debugger.setBreakpointByUrl', { url, lineNumber: RETURN_LINE });
  await editor.call('Runtime.evaluate', { expression: '1' });
  const leave = async (): Promise<void> => {
    network.leave();
    while (reports.at(-1)?.viewers !== 0) {
      clock.advance(VIEWER_AWAY_MS);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { clock, reports, child, network, events, editor, breakpointId, origin, leave };
}

test('an editor stays attached while the network is away for hours, and hears what it missed', async () => {
  const { clock, reports, child, network, events, editor, breakpointId, leave } = await attached();
  const forever = editor.post('Runtime.evaluate', { expression: 'new Promise(() => {})', awaitPromise: true });
  await editor.call('Runtime.evaluate', { expression: '1' });

  await leave();
  child.stdin!.write('you');
  while (reports.at(-1)?.pauses.length !== 1) await new Promise((resolve) => setImmediate(resolve));
  clock.advance(8 * HOURS_MS);
  network.isAway = false;

  const { error } = await editor.reply(forever);
  assert.match(error!.message, /whether this was performed is not known/);
  const pause = await editor.until(() => editor.events('Debugger.paused')[0]);
  assert.deepEqual(pause.hitBreakpoints, [breakpointId]);
  const { callFrameId } = pause.callFrames[0];
  const { result } = await editor.call('Debugger.evaluateOnCallFrame', { callFrameId, expression: 'answer' });
  assert.equal(result.value, 'heard you');
  const scripts = editor.events('Debugger.scriptParsed').map((script) => script.scriptId as string);
  assert.deepEqual(scripts, [...new Set(scripts)], 'no script is told twice');
  const logged = editor.events('Runtime.consoleAPICalled').map((event) => event.args[0].value);
  assert.deepEqual(logged, ['heard you']);
  await editor.call('Debugger.resume');
  assert.ok(events.includes('back after a while'));
});

test('an editor that stood when the network went hears of no second stop, unless it is another one', async () => {
  const { child, network, events, editor, origin, leave } = await attached();
  child.stdin!.write('one');
  const pause = await editor.until(() => editor.events('Debugger.paused')[0]);
  const { callFrameId } = pause.callFrames[0];
  const answer = async (frame: string): Promise<unknown> => {
    const command = { callFrameId: frame, expression: 'answer' };
    return (await editor.call('Debugger.evaluateOnCallFrame', command)).result.value;
  };
  await leave();
  network.isAway = false;
  while (!events.includes('back after a while')) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(await answer(callFrameId), 'heard one', 'its frame holds');
  assert.equal(editor.events('Debugger.paused').length, 1);
  assert.equal(editor.events('Debugger.resumed').length, 0);

  // Somebody else lets it go on, and it stops again.
  await leave();
  const other = await new Page(origin).start();
  await other.call('Debugger.resume');
  child.stdin!.write('two');
  await other.until(() => other.events('Debugger.paused')[1]);
  network.isAway = false;
  const second = await editor.until(() => editor.events('Debugger.paused')[1]);
  assert.equal(await answer(second.callFrames[0].callFrameId), 'heard two');
  const stops = editor.messages.map(({ method }) => method).filter((name) => /paused|resumed/.test(String(name)));
  assert.deepEqual(stops, ['Debugger.paused', 'Debugger.resumed', 'Debugger.paused']);
  await editor.call('Debugger.resume');
});
