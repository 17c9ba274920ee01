// The debugger's page as a person at a browser uses it, over playwright. What is waited for is what the
// person would look at; nothing here speaks CDP. Selectors reach into the shadow roots of DevTools.

import { chromium } from 'playwright-core';
import type { Browser, Locator, Page } from 'playwright-core';
import { findChromium } from '../scripts/browsers.ts';

/** A line of the call stack: `answer`, `server.js`, 5. */
export interface Frame {
  name: string;
  file: string;
  /** From 1. */
  line: number;
}

/** A row of the Breakpoints pane. */
export interface Breakpoint {
  file: string;
  /** From 1. */
  line: number;
  isEnabled: boolean;
}

/** How long anything on the page may take, in ms. */
const PATIENCE_MS = 15_000;

/** How long a step that seems to lead nowhere is watched, in ms. */
const STEP_MS = 2000;

/** A Chromium that asks nobody outside for anything. */
export const CHROMIUM_WORDS: readonly string[] = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Where Chromium is. Throws when there is none (see scripts/browsers.ts). */
export function chromiumPath(): string {
  const path = findChromium();
  if (path === undefined) throw new Error('no Chromium here; name one in CHROMIUM');
  return path;
}

/** Starts a Chromium of those words. Throws when there is none. */
export async function launchChromium(more: readonly string[] = []): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath(), args: [...CHROMIUM_WORDS, ...more] });
}

function splitLocation(location: string): { file: string; line: number } {
  const match = /^(.*?):(\d+)(?::\d+)?$/.exec(location);
  return match === null ? { file: location, line: 0 } : { file: match[1]!, line: Number(match[2]) };
}

/** One DevTools page. Create it on a fresh playwright page, before anything is loaded. */
export class DevtoolsPage {
  readonly page: Page;
  #origin = '';
  #requests: string[] = [];
  #errors: string[] = [];

  constructor(page: Page) {
    this.page = page;
    page.setDefaultTimeout(PATIENCE_MS);
    page.on('request', (request) => this.#requests.push(request.url()));
    page.on('console', (message) => {
      if (message.type() === 'error') this.#errors.push(`${message.text()} (${message.location().url})`);
    });
    page.on('pageerror', (error) => this.#errors.push(error.stack ?? error.message));
  }

  /** Opens `<app>/debug/` and waits until Sources is shown and a process is connected. */
  async open(url: string): Promise<void> {
    this.#origin = new URL(url).origin;
    await this.page.goto(url);
    await this.#tab('sources').and(this.page.locator('[aria-selected=true]')).waitFor();
    await this.page.locator('[role=treeitem][class*=navigator-]').filter({ visible: true }).first().waitFor();
  }

  /** Opens a file by (the end of) its name, as Ctrl+P does. */
  async openFile(name: string): Promise<void> {
    const base = name.slice(name.lastIndexOf('/') + 1);
    await this.showPanel('sources');
    await this.page.keyboard.press('ControlOrMeta+P');
    await this.page.locator('.filtered-list-widget').waitFor();
    await this.page.keyboard.insertText(name);
    await this.page.locator('.filtered-list-widget-item').filter({ hasText: base }).first().waitFor();
    await this.page.keyboard.press('Enter');
    await this.page.locator('.filtered-list-widget').waitFor({ state: 'detached' });
    await this.#openTabs().filter({ hasText: base }).and(this.page.locator('[aria-selected=true]')).waitFor();
    await this.#editor().locator('.cm-line').first().waitFor();
  }

  /** Name of the file in front. */
  async openedFile(): Promise<string> {
    const tab = this.#openTabs().and(this.page.locator('[aria-selected=true]'));
    return ((await tab.textContent()) ?? '').trim();
  }

  /** The text of the visible lines of the file in front. */
  async sourceLines(): Promise<string[]> {
    await this.#editor().locator('.cm-line').first().waitFor();
    return this.#editor().locator('.cm-line').allTextContents();
  }

  /** Clicks the number of a line of the file in front and waits until the breakpoint is bound. */
  async setBreakpoint(line: number): Promise<void> {
    const number = this.#gutterLine(line);
    await number.click();
    await number.and(this.page.locator('.cm-breakpoint')).waitFor();
  }

  /** A breakpoint that stops under a condition, or (`logpoint`) writes values to the console instead. */
  async setSpecialBreakpoint(line: number, kind: 'conditional breakpoint' | 'logpoint', text: string): Promise<void> {
    const number = this.#gutterLine(line);
    await number.click({ button: 'right' });
    await this.page.getByRole('menuitem', { name: `Add ${kind}` }).click();
    const dialog = this.page.locator('.sources-edit-breakpoint-dialog');
    await dialog.locator('.cm-content').click();
    await this.page.keyboard.insertText(text);
    await this.page.keyboard.press('Enter');
    await dialog.waitFor({ state: 'detached' });
    await this.page.locator('.cm-breakpoint-conditional, .cm-breakpoint-logpoint').first().waitFor();
  }

  /** Replaces a line of the file in front, and saves it. */
  async editLine(line: number, text: string): Promise<void> {
    await this.#editor().locator('.cm-line').nth(line - 1).click();
    for (const key of ['Home', 'Shift+End']) await this.page.keyboard.press(key);
    await this.page.keyboard.insertText(text);
    await this.page.keyboard.press('ControlOrMeta+S');
  }

  /** Clicks into a line of the file in front and types. */
  async typeInto(line: number, text: string): Promise<void> {
    await this.#editor().locator('.cm-line').nth(line - 1).click();
    await this.page.keyboard.type(text);
  }

  /** Waits for a pause, and begins the topmost function again. */
  async restartFrame(): Promise<void> {
    await this.page.locator('.call-frame-item').first().click({ button: 'right' });
    await this.page.getByRole('menuitem', { name: 'Restart frame' }).click();
  }

  /** Adds an expression to the Watch pane. */
  async addWatch(expression: string): Promise<void> {
    await this.#showWatches();
    await this.page.getByRole('button', { name: 'Add watch expression' }).click();
    await this.page.locator('.watch-expression-text-prompt-proxy .text-prompt').click();
    await this.page.keyboard.insertText(expression);
    await this.page.keyboard.press('Enter');
    await this.page.locator('.watch-expression').filter({ hasText: expression }).waitFor();
  }

  /** Waits until the Watch pane shows an expression with its value: `count: 1`. */
  async watchShows(text: string): Promise<void> {
    await this.#showWatches();
    await this.page.locator('.watch-expression').filter({ hasText: text }).waitFor();
  }

  /** Clicks the number of a line that has a breakpoint. */
  async removeBreakpoint(line: number): Promise<void> {
    const number = this.#gutterLine(line);
    await number.click();
    await number.and(this.page.locator(':not(.cm-breakpoint)')).waitFor();
  }

  /** Waits for a pause; the line that is highlighted in the editor, from 1. */
  async pausedLine(): Promise<number> {
    const line = this.page.locator('.cm-executionLine');
    await line.waitFor();
    const [lineBox, numbers] = [await line.boundingBox(), this.#editor().locator('.cm-lineNumbers')];
    for (const number of await numbers.locator('.cm-gutterElement').all()) {
      const box = await number.boundingBox();
      if (box === null || lineBox === null || box.height === 0) continue;
      if (Math.abs(box.y - lineBox.y) >= box.height / 2) continue;
      // A breakpoint with a condition has a mark before the number.
      return Number(/\d+/.exec((await number.textContent()) ?? '')?.[0]);
    }
    throw new Error('the highlighted line has no number');
  }

  /** Waits for a pause; why it is one: `Paused on breakpoint`. */
  async pauseReason(): Promise<string> {
    const status = this.page.locator('.paused-status .status-main');
    await status.waitFor();
    return ((await status.textContent()) ?? '').trim();
  }

  /** Waits until the program runs. */
  async running(): Promise<void> {
    await this.page.locator('.cm-executionLine').waitFor({ state: 'detached' });
    await this.page.locator('.paused-status').waitFor({ state: 'detached' });
  }

  /** Waits for a pause; the frames of the user's files, topmost first. */
  async callStack(): Promise<Frame[]> {
    // Rows without a place are headings of what happened before, asynchronously.
    const items = this.page.locator('.call-frame-item:has(.call-frame-location)').filter({ visible: true });
    await items.first().waitFor();
    const frames: Frame[] = [];
    for (const item of await items.all()) {
      const name = (await item.locator('.call-frame-title-text').textContent()) ?? '';
      const location = (await item.locator('.call-frame-location').textContent()) ?? '';
      frames.push({ name: name.trim(), ...splitLocation(location.trim()) });
    }
    return frames;
  }

  /** Waits for a pause; what the open scopes show: name -> value as written there. */
  async scopeValues(): Promise<Record<string, string>> {
    const rows = this.page.locator('.scope-chain-sidebar-pane-section + ol .name-and-value');
    await rows.first().waitFor();
    const values: Record<string, string> = {};
    for (const row of await rows.allTextContents()) {
      const end = row.indexOf(': ');
      if (end !== -1) values[row.slice(0, end).trim()] = row.slice(end + 2).trim();
    }
    return values;
  }

  /** Types an expression into the console; what it answers, as shown. Rejects when nothing is shown in time. */
  async evaluate(expression: string, timeoutMs = PATIENCE_MS): Promise<string> {
    await this.#showConsole();
    const results = this.page.locator('.console-user-command-result');
    const before = await results.count();
    await this.page.locator('#console-prompt .cm-content').click();
    await this.page.keyboard.insertText(expression);
    await this.page.keyboard.press('Enter');
    const result = results.nth(before);
    await result.waitFor({ timeout: timeoutMs });
    return ((await result.innerText()) ?? '').trim();
  }

  /** Steps over, and waits for the next pause or for the program to run. */
  async stepOver(): Promise<void> {
    await this.#step('Step over next function call');
  }

  /** Steps into the next call. */
  async stepInto(): Promise<void> {
    await this.#step('Step into next function call');
  }

  /** Steps out of the function. */
  async stepOut(): Promise<void> {
    await this.#step('Step out of current function');
  }

  /** Lets the program go on. It may stop at once again. */
  async resume(): Promise<void> {
    await this.showPanel('sources');
    await this.page.getByRole('button', { name: 'Resume script execution' }).click();
  }

  /** Stops the program at its next statement. */
  async pause(): Promise<void> {
    await this.showPanel('sources');
    await this.page.getByRole('button', { name: 'Pause script execution' }).click();
  }

  /** The rows of the Breakpoints pane. */
  async breakpoints(): Promise<Breakpoint[]> {
    await this.showPanel('sources');
    const found: Breakpoint[] = [];
    for (const group of await this.page.locator('details:has(.breakpoint-item)').all()) {
      const file = ((await group.locator('.group-header-title').textContent()) ?? '').trim();
      for (const item of await group.locator('.breakpoint-item').all()) {
        const location = (await item.locator('.location').textContent()) ?? '';
        found.push({
          file,
          line: Number(location.split(':')[0]),
          isEnabled: await item.getByRole('checkbox').isChecked(),
        });
      }
    }
    return found;
  }

  /** Waits until the Breakpoints pane has `count` rows. */
  async breakpointsListed(count: number): Promise<Breakpoint[]> {
    await this.page.locator('.breakpoint-item').nth(count - 1).waitFor();
    return this.breakpoints();
  }

  /** What the program and DevTools wrote to the console, one text a message. */
  async consoleMessages(): Promise<string[]> {
    await this.#showConsole();
    return this.page.locator('.console-message-wrapper .console-message-text').allInnerTexts();
  }

  /** Waits until the console shows a message with this text. */
  async consoleShows(text: string): Promise<void> {
    await this.#showConsole();
    await this.page.locator('.console-message-text').filter({ hasText: text }).first().waitFor();
  }

  /** Brings a panel to the front: sources, console, network, timeline, heap-profiler. */
  async showPanel(id: string): Promise<void> {
    const tab = this.#tab(id);
    if ((await tab.getAttribute('aria-selected')) !== 'true') await tab.click();
  }

  /** Names of the panels, from left to right. */
  async panels(): Promise<string[]> {
    const tabs = this.page.locator('.tabbed-pane-header-tabs:has(#tab-sources) > [role=tab]');
    return (await tabs.allTextContents()).map((text) => text.trim());
  }

  /** Takes a heap snapshot in the Memory panel; resolves when its classes are listed. */
  async takeHeapSnapshot(): Promise<void> {
    await this.showPanel('heap-profiler');
    await this.page.getByRole('button', { name: 'Take heap snapshot' }).first().click();
    await this.page.locator('.heap-snapshot-view .data-grid tbody tr.parent, .profile-view tr.parent').first().waitFor({
      timeout: 4 * PATIENCE_MS,
    });
  }

  /** Records a CPU profile in the Performance panel while `work` runs; resolves when it is shown. */
  async recordProfile(work: () => Promise<unknown>): Promise<void> {
    await this.showPanel('timeline');
    await this.page.getByRole('button', { name: /^Record/ }).first().click();
    await this.page.locator('.timeline-status-dialog, .timeline-status-pane').first().waitFor();
    await work();
    await this.page.getByRole('button', { name: /^Stop/ }).first().click();
    await this.page.locator('.timeline-flamechart').first().waitFor();
  }

  /** Requests that left the host of the page. Must stay empty. */
  foreignRequests(): string[] {
    return this.#requests.filter((url) => {
      const { protocol, origin } = new URL(url);
      return protocol !== 'data:' && protocol !== 'blob:' && origin !== this.#origin;
    });
  }

  /** Errors of the page itself: console, exceptions, requests that failed. Must stay empty. */
  consoleErrors(): string[] {
    return [...this.#errors];
  }

  #tab(id: string): Locator {
    return this.page.locator(`#tab-${id}`);
  }

  #openTabs(): Locator {
    return this.page.locator('#sources-panel-sources-view [role=tab]');
  }

  #editor(): Locator {
    return this.page.locator('#sources-panel-sources-view .cm-editor').filter({ visible: true });
  }

  #gutterLine(line: number): Locator {
    return this.#editor()
      .locator('.cm-lineNumbers .cm-gutterElement')
      .filter({ hasText: new RegExp(`^${line}$`), visible: true });
  }

  async #showConsole(): Promise<void> {
    const prompt = this.page.locator('#console-prompt .cm-content');
    if (await prompt.isVisible()) return;
    // Beside the sources, so that the place of a pause stays in view.
    await this.page.keyboard.press('Escape');
    await prompt.waitFor();
  }

  async #showWatches(): Promise<void> {
    await this.showPanel('sources');
    const header = this.page.locator('.expandable-view-title[aria-label=Watch]');
    if ((await header.getAttribute('aria-expanded')) !== 'true') await header.click();
  }

  /** Where the program stands, as far as the page shows it; empty when it runs. Waits for nothing. */
  async #place(): Promise<string> {
    if ((await this.page.locator('.cm-executionLine').count()) === 0) return '';
    return (await this.page.locator('.cm-executionToken, .call-frame-item').allTextContents()).join('|');
  }

  async #step(name: string): Promise<void> {
    await this.showPanel('sources');
    await this.page.locator('.cm-executionLine').waitFor();
    const before = await this.#place();
    await this.page.getByRole('button', { name }).click();
    // Nothing on the page tells a step that ends at the same place from one that has not ended.
    const endMs = performance.now() + STEP_MS;
    while ((await this.#place()) === before && performance.now() < endMs) await this.page.waitForTimeout(20);
  }
}
