// A real WebKit (WebKitGTK), driven by its WebKitWebDriver over classic WebDriver, on a screen that nobody sees (Xvfb).

import { assert } from '../src/base/assert.ts';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findWebKitDriver } from '../scripts/browsers.ts';
import { DrivenBrowser } from './driven-browser.ts';

const DRIVER_TRIES_MAX = 200;
const DRIVER_TRY_MS = 50;

/** Errors of the page from now on, where a script of ours can read them. */
const WATCH_ERRORS = `
  window.slipstreamErrors ??= [];
  addEventListener('error', (event) => slipstreamErrors.push(String(event.message)));
  addEventListener('unhandledrejection', (event) => slipstreamErrors.push(String(event.reason)));`;

/** A browser and its page. */
export class WebKit extends DrivenBrowser {
  /** Name and version, as the driver says. */
  name = '';
  #children: ChildProcess[];
  #profile: string;
  #base: string;

  private constructor(children: ChildProcess[], profile: string, port: number) {
    super();
    this.#children = children;
    this.#profile = profile;
    this.#base = `http://127.0.0.1:${port}/session`;
  }

  /** Starts one with a fresh profile. Throws when there is none (see scripts/browsers.ts). Always close() it. */
  static async launch(): Promise<WebKit> {
    const driver = findWebKitDriver();
    assert(driver !== undefined, 'no WebKitWebDriver here (Debian: webkit2gtk-driver, xvfb)');
    const profile = mkdtempSync(join(tmpdir(), 'slipstream-webkit-'));
    const screen = spawn('Xvfb', ['-displayfd', '3', '-screen', '0', '1360x900x24', '-nolisten', 'tcp'], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    });
    const [shown] = (await once(screen.stdio[3]!, 'data')) as [Buffer];
    const port = await freePort();
    // Without a language of the world the page has none, and Intl throws; without HOME of its own it shares settings.
    const env = {
      ...process.env, DISPLAY: `:${shown.toString().trim()}`, HOME: profile, LANG: 'en_US.UTF-8', GDK_BACKEND: 'x11',
    };
    const child = spawn(driver, [`--port=${port}`, '--host=127.0.0.1'], { env, stdio: 'ignore' });
    const webkit = new WebKit([child, screen], profile, port);
    try {
      await webkit.#begin();
      return webkit;
    } catch (error) {
      await webkit.close();
      throw error;
    }
  }

  async open(url: string): Promise<void> {
    await this.#command('POST', 'url', { url });
    await this.run(WATCH_ERRORS);
  }

  async reload(): Promise<void> {
    await this.gatherErrors();
    await this.#command('POST', 'refresh', {});
    await this.run(WATCH_ERRORS);
  }

  /** Brings what went wrong in the page since it was loaded into `errors`. */
  async gatherErrors(): Promise<void> {
    const text = await this.run('return JSON.stringify(window.slipstreamErrors ?? []);');
    this.errors.push(...(JSON.parse(text ?? '[]') as string[]));
  }

  async close(): Promise<void> {
    await this.#command('DELETE', '', undefined).catch(() => {});
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    }
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }

  protected async run(body: string): Promise<string | undefined> {
    const value = await this.#command('POST', 'execute/sync', { script: body, args: [] });
    return typeof value === 'string' ? value : undefined;
  }

  protected async act(actions: object[]): Promise<void> {
    await this.#command('POST', 'actions', { actions });
  }

  async #begin(): Promise<void> {
    const wanted = { capabilities: { alwaysMatch: {} } };
    for (let count = 1; ; count++) {
      try {
        const { sessionId, capabilities } = (await this.#command('POST', '', wanted)) as {
          sessionId: string;
          capabilities: { browserName: string; browserVersion: string };
        };
        this.name = `${capabilities.browserName} ${capabilities.browserVersion}`;
        this.#base += `/${sessionId}`;
        await this.#command('POST', 'window/rect', { x: 0, y: 0, width: 1360, height: 900 });
        return;
      } catch (error) {
        // It listens a moment after it was started.
        if (count >= DRIVER_TRIES_MAX || !(error instanceof TypeError)) throw error;
        await new Promise((resolve) => setTimeout(resolve, DRIVER_TRY_MS));
      }
    }
  }

  async #command(method: string, path: string, body: object | undefined): Promise<unknown> {
    const response = await fetch(path === '' ? this.#base : `${this.#base}/${path}`, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const { value } = (await response.json()) as { value: { error?: string; message?: string } | null };
    assert(response.ok, `${path}: ${value?.error} ${value?.message}`);
    return value;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
