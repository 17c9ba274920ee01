// One visit a sample: does the app at this URL do what it is there to show? The same visits are paid to each
// sample running alone and behind the host.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { WebSocket } from 'ws';

/** Pays a visit to the sample whose URL, with a slash at its end, is given. */
export type Visit = (url: string) => Promise<void>;

async function textOf(url: string, init?: RequestInit): Promise<string> {
  const response = await fetch(url, init);
  const text = await response.text();
  assert.equal(response.status, 200, `${url}: ${text}`);
  return text;
}

async function visitHello(url: string): Promise<void> {
  const text = await textOf(`${url}some/where?a=1`);
  assert.match(text, /^Hello, world!\n/);
  assert.match(text, /\/some\/where\?a=1$/m);
}

async function visitExpress(url: string): Promise<void> {
  assert.match(await textOf(url), /<h1>Guest book<\/h1>/);
  const body = new URLSearchParams({ name: 'Eve <script>', text: 'was here' });
  const page = await textOf(`${url}entries`, { method: 'POST', body });
  assert.match(page, /Eve &lt;script&gt;<\/b>: was here/);
  const refused = await fetch(`${url}entries`, { method: 'POST', body: new URLSearchParams() });
  assert.equal(refused.status, 400);
  await refused.body?.cancel();
}

async function visitFastify(url: string): Promise<void> {
  const about = JSON.parse(await textOf(url)) as { try: string };
  const result = JSON.parse(await textOf(new URL(about.try, url).href)) as { result: number };
  assert.equal(result.result, 68);
  const refused = await fetch(`${url}convert?value=warm&from=celsius&to=kelvin`);
  assert.equal(refused.status, 400);
  await refused.body?.cancel();
}

interface Line {
  name: string;
  text: string;
}

/** A guest of a chat room: the lines that come, and a way to wait for one. */
class Guest {
  readonly socket: WebSocket;
  #lines: Line[] = [];
  #arrived: () => void = () => {};

  constructor(url: string, query: Record<string, string>) {
    const address = new URL(`socket?${new URLSearchParams(query)}`, url);
    this.socket = new WebSocket(address.href.replace(/^http/, 'ws'));
    this.socket.on('message', (data) => {
      this.#lines.push(JSON.parse(String(data)) as Line);
      this.#arrived();
    });
  }

  async hears(name: string, text: string): Promise<void> {
    while (!this.#lines.some((line) => line.name === name && line.text === text)) {
      await new Promise<void>((resolve) => (this.#arrived = resolve));
    }
  }
}

async function visitChat(url: string): Promise<void> {
  assert.match(await textOf(url), /new WebSocket/);
  const ada = new Guest(url, { room: 'kitchen', name: 'Ada' });
  await ada.hears('Ada', 'came in');
  const eve = new Guest(url, { room: 'kitchen', name: 'Eve' });
  await eve.hears('Ada', 'came in');
  await ada.hears('Eve', 'came in');
  eve.socket.send('tea?');
  await ada.hears('Eve', 'tea?');
  const closed = once(eve.socket, 'close');
  eve.socket.close();
  await closed;
  await ada.hears('Eve', 'left');
  ada.socket.terminate();
}

async function visitStreaming(url: string): Promise<void> {
  const clock = await fetch(`${url}clock`);
  assert.equal(clock.headers.get('content-type'), 'text/event-stream');
  const reader = clock.body!.getReader();
  let events = '';
  while (events.split('\n\n').length < 3) {
    const { value } = await reader.read();
    events += new TextDecoder().decode(value);
  }
  assert.match(events, /^data: \d{4}-\d\d-\d\dT/);
  await reader.cancel();

  const download = await fetch(`${url}download?megabytes=3`);
  assert.equal(download.headers.get('content-length'), '3000000');
  const bytes = Buffer.from(await download.arrayBuffer());
  assert.equal(bytes.length, 3_000_000);
  assert.deepEqual([bytes[0], bytes[65_535], bytes[65_536], bytes.at(-1)], [0, 0, 1, 45]);

  const answer = JSON.parse(await textOf(`${url}upload`, { method: 'POST', body: bytes })) as object;
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  assert.deepEqual(answer, { bytes: 3_000_000, sha256 });
}

async function visitTypescript(url: string): Promise<void> {
  await textOf(`${url}vote/tabs`);
  const { counts } = JSON.parse(await textOf(`${url}vote/tabs`)) as { counts: Record<string, number> };
  assert.deepEqual(counts, { tabs: 2, spaces: 0 });
  const refused = await fetch(`${url}vote/neither`);
  assert.equal(refused.status, 404);
  await refused.body?.cancel();
}

/** The bug is there, exactly as the walk-through in samples/buggy/README.md tells. */
async function visitBuggy(url: string): Promise<void> {
  const total = async (): Promise<string | undefined> => /id="total">([\d.]+)/.exec(await textOf(url))?.[1];
  assert.equal(await total(), '36.90');
  assert.equal(await total(), '32.80');
}

/** Folder of a sample -> its visit. */
export const SAMPLE_VISITS: Readonly<Record<string, Visit>> = {
  hello: visitHello,
  express: visitExpress,
  fastify: visitFastify,
  chat: visitChat,
  streaming: visitStreaming,
  typescript: visitTypescript,
  buggy: visitBuggy,
};
