// The debugger's page in Firefox and WebKit: what is looked at and pressed there. See devtools-page.ts for Chromium.

import assert from 'node:assert/strict';
import type { DrivenBrowser } from './driven-browser.ts';
import { get } from './http-client.ts';

/** One DevTools page. */
export class DrivenDevtools {
  #browser: DrivenBrowser;

  constructor(browser: DrivenBrowser) {
    this.#browser = browser;
  }

  /** Opens `<app>/debug/` and waits until Sources is shown and a process is connected. */
  async open(url: string): Promise<void> {
    await this.#browser.open(url);
    await this.loaded();
  }

  async loaded(): Promise<void> {
    await this.#browser.shown({ selector: '#tab-sources[aria-selected=true]' });
    await this.#browser.shown({ selector: '[role=treeitem][class*=navigator-]' });
  }

  /** Opens a file by its name, as Ctrl+P does. */
  async openFile(name: string): Promise<void> {
    await this.#browser.key('p', 'Control');
    await this.#browser.shown({ selector: '.filtered-list-widget' });
    await this.#browser.type(name);
    await this.#browser.shown({ selector: '.filtered-list-widget-item', text: name });
    await this.#browser.key('Enter');
    await this.#browser.shown({ selector: '.cm-line' });
  }

  /** Clicks the number of a line and waits until the breakpoint is bound. */
  async setBreakpoint(line: number): Promise<void> {
    await this.#browser.click({ selector: '.cm-lineNumbers .cm-gutterElement', text: `^${line}$` });
    await this.#browser.shown({ selector: '.cm-lineNumbers .cm-gutterElement.cm-breakpoint', text: `^${line}$` });
  }

  /** Waits for a pause; the number of the line that is highlighted, from 1. */
  async pausedLine(): Promise<number> {
    return Number(await this.#browser.until<string>(PAUSED_LINE));
  }

  /** Waits for a pause; the function at the top of the call stack. */
  topFrame(): Promise<string> {
    return this.#browser.shown({ selector: '.call-frame-title-text' });
  }

  /** Types an expression into the console; what it answers, as shown. */
  async evaluate(expression: string): Promise<string> {
    const prompt = { selector: '#console-prompt' };
    const isOpen = await this.#browser.value<boolean>("deep('#console-prompt').some(isShown)");
    if (!isOpen) await this.#browser.key('Escape');
    const results = "deep('.console-user-command-result')";
    const before = await this.#browser.value<number>(`${results}.length`);
    await this.#browser.click(prompt);
    await this.#browser.type(expression);
    await this.#browser.key('Enter');
    return this.#browser.until<string>(`${results}[${before}]?.textContent.trim()`);
  }

  /** Steps over, to a line that is known. */
  async stepOver(line: number): Promise<void> {
    await this.#press('Step over next function call');
    await this.#browser.until<boolean>(`${PAUSED_LINE} === '${line}'`);
  }

  /** Lets the program go on. */
  async resume(): Promise<void> {
    await this.#press('Resume script execution');
    await this.#browser.until<boolean>("deep('.cm-executionLine').length === 0");
  }

  async #press(name: string): Promise<void> {
    await this.#browser.click({ selector: `button[aria-label^="${name}"]` });
  }
}

/** The number beside the highlighted line. */
const PAUSED_LINE = `((line) => {
  if (line === undefined) return null;
  const { top, height } = line.getBoundingClientRect();
  const isBeside = (number) => Math.abs(number.getBoundingClientRect().top - top) < height / 2;
  return deep('.cm-lineNumbers .cm-gutterElement').filter(isShown).find(isBeside)?.textContent;
})(deep('.cm-executionLine')[0])`;

/** The program that {@link passThroughDebugger} debugs. */
export const PASS_APP = `const http = require('http');
function answer(name) {
  const greeting = 'hello ' + name;
  const length = greeting.length;
  return greeting + ' ' + length;
}
http.createServer((request, response) => response.end(answer('you'))).listen(process.env.PORT);
`;
/** Line of \`const greeting\`, from 1. */
const GREETING_LINE = 3;

/** Sets a breakpoint, stops, evaluates, finds the stop after a reload, steps and goes on, at the app of that URL. */
export async function passThroughDebugger(browser: DrivenBrowser, url: string): Promise<void> {
  const devtools = new DrivenDevtools(browser);
  await devtools.open(`${url}debug/`);
  await devtools.openFile('server.js');
  await devtools.setBreakpoint(GREETING_LINE);

  const hanging = get(url);
  assert.equal(await devtools.pausedLine(), GREETING_LINE);
  assert.equal(await devtools.topFrame(), 'answer');
  assert.equal(await devtools.evaluate('name.toUpperCase()'), "'YOU'");

  await browser.reload();
  await devtools.loaded();
  assert.equal(await devtools.pausedLine(), GREETING_LINE);
  assert.equal(await devtools.topFrame(), 'answer');
  await devtools.stepOver(GREETING_LINE + 1);
  assert.equal(await devtools.evaluate('greeting'), "'hello you'");
  await devtools.resume();
  assert.equal((await hanging).text, 'hello you 9');
}
