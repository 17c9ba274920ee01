// A real Firefox, driven over WebDriver BiDi as it speaks it by itself: no driver program, no package. One page at
// a time.

import { assert } from '../src/base/assert.ts';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { findFirefox } from '../scripts/browsers.ts';
import { DrivenBrowser } from './driven-browser.ts';

/** Nothing asks anybody outside, nothing of the first start is shown. */
const PREFERENCES: Readonly<Record<string, unknown>> = {
  'app.update.enabled': false,
  'browser.shell.checkDefaultBrowser': false,
  'browser.startup.homepage_override.mstone': 'ignore',
  'browser.aboutwelcome.enabled': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'datareporting.healthreport.uploadEnabled': false,
  'extensions.update.enabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'services.settings.server': 'data:,',
  'toolkit.telemetry.enabled': false,
};

type Params = Record<string, unknown>;

interface Reply {
  id?: number;
  type?: string;
  method?: string;
  params?: Params;
  result?: Params;
  message?: string;
}

/** A browser and its page. */
export class Firefox extends DrivenBrowser {
  #child: ChildProcess;
  #profile: string;
  #socket: WebSocket;
  #context = '';
  #lastId = 0;
  #waiting = new Map<number, (reply: Reply) => void>();

  private constructor(child: ChildProcess, profile: string, socket: WebSocket) {
    super();
    this.#child = child;
    this.#profile = profile;
    this.#socket = socket;
    socket.on('message', (data: Buffer) => this.#receive(JSON.parse(data.toString()) as Reply));
    socket.on('error', () => socket.terminate());
    socket.on('close', () => {
      for (const answer of this.#waiting.values()) answer({ type: 'error', message: 'Firefox is gone' });
    });
  }

  /** Starts one with a fresh profile. Throws when there is none (see scripts/browsers.ts). Always close() it. */
  static async launch(): Promise<Firefox> {
    const path = findFirefox();
    assert(path !== undefined, 'no Firefox here; name one in FIREFOX');
    const profile = mkdtempSync(join(tmpdir(), 'slipstream-firefox-'));
    const lines = Object.entries(PREFERENCES).map(([name, value]) => {
      return `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`;
    });
    writeFileSync(join(profile, 'user.js'), lines.join(''));
    const words = ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port', '0', 'about:blank'];
    const child = spawn(path, words, { env: { ...process.env, HOME: profile }, stdio: ['ignore', 'ignore', 'pipe'] });
    try {
      const socket = new WebSocket(`${await addressOf(child)}/session`, { perMessageDeflate: false });
      await once(socket, 'open');
      const firefox = new Firefox(child, profile, socket);
      await firefox.#begin();
      return firefox;
    } catch (error) {
      await end(child, profile);
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#socket.terminate();
    await end(this.#child, this.#profile);
  }

  async open(url: string): Promise<void> {
    await this.#command('browsingContext.navigate', { context: this.#context, url, wait: 'complete' });
  }

  async reload(): Promise<void> {
    await this.#command('browsingContext.reload', { context: this.#context, wait: 'complete' });
  }

  protected async run(body: string): Promise<string | undefined> {
    const { result, exceptionDetails } = await this.#command('script.evaluate', {
      expression: `(() => { ${body} })()`,
      target: { context: this.#context },
      awaitPromise: false,
    });
    assert(exceptionDetails === undefined, `${body}: ${JSON.stringify(exceptionDetails)}`);
    return (result as { value?: string }).value;
  }

  /** A picture of the page, as PNG. */
  async screenshot(): Promise<Buffer> {
    const { data } = await this.#command('browsingContext.captureScreenshot', { context: this.#context });
    return Buffer.from(String(data), 'base64');
  }

  async #begin(): Promise<void> {
    await this.#command('session.new', { capabilities: {} });
    await this.#command('session.subscribe', { events: ['log.entryAdded'] });
    const { contexts } = await this.#command('browsingContext.getTree', {});
    this.#context = (contexts as { context: string }[])[0]!.context;
    await this.#command('browsingContext.setViewport', {
      context: this.#context,
      viewport: { width: 1360, height: 820 },
    });
  }

  protected async act(actions: object[]): Promise<void> {
    await this.#command('input.performActions', { context: this.#context, actions });
  }

  async #command(method: string, params: Params): Promise<Params> {
    const id = ++this.#lastId;
    const reply = new Promise<Reply>((resolve) => this.#waiting.set(id, resolve));
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify({ id, method, params }));
    else this.#receive({ id, type: 'error', message: 'Firefox is gone' });
    const { type, message, result = {} } = await reply;
    assert(type === 'success', `${method}: ${message}`);
    return result;
  }

  #receive(reply: Reply): void {
    if (reply.id !== undefined && reply.id !== null) {
      this.#waiting.get(reply.id)?.(reply);
      this.#waiting.delete(reply.id);
    } else if (reply.method === 'log.entryAdded' && reply.params?.['level'] === 'error') {
      this.errors.push(String(reply.params['text']));
    }
  }
}

/** Where it listens, as it says itself. */
async function addressOf(child: ChildProcess): Promise<string> {
  let said = '';
  const found = new Promise<string>((resolve, reject) => {
    child.stderr!.setEncoding('utf8').on('data', (part: string) => {
      said += part;
      const address = /WebDriver BiDi listening on (ws:\S+)/.exec(said)?.[1];
      if (address !== undefined) resolve(address);
    });
    child.once('exit', () => reject(new Error(`Firefox did not start: ${said}`)));
  });
  return found;
}

async function end(child: ChildProcess, profile: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
    await exited;
    clearTimeout(timer);
  }
  // Its helper processes may write for a moment longer.
  rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
}
