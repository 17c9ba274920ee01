// The debugger's page in Firefox: what the test looks at and presses there. See devtools-page.ts for Chromium.

import type { Firefox } from './firefox-browser.ts';

/** One DevTools page. */
export class FirefoxDevtools {
  #firefox: Firefox;

  constructor(firefox: Firefox) {
    this.#firefox = firefox;
  }

  /** Opens `<app>/debug/` and waits until Sources is shown and a process is connected. */
  async open(url: string): Promise<void> {
    await this.#firefox.open(url);
    await this.loaded();
  }

  async loaded(): Promise<void> {
    await this.#firefox.shown({ selector: '#tab-sources[aria-selected=true]' });
    await this.#firefox.shown({ selector: '[role=treeitem][class*=navigator-]' });
  }

  /** Opens a file by its name, as Ctrl+P does. */
  async openFile(name: string): Promise<void> {
    await this.#firefox.key('p', 'Control');
    await this.#firefox.shown({ selector: '.filtered-list-widget' });
    await this.#firefox.type(name);
    await this.#firefox.shown({ selector: '.filtered-list-widget-item', text: name });
    await this.#firefox.key('Enter');
    await this.#firefox.shown({ selector: '.cm-line' });
  }

  /** Clicks the number of a line and waits until the breakpoint is bound. */
  async setBreakpoint(line: number): Promise<void> {
    await this.#firefox.click({ selector: '.cm-lineNumbers .cm-gutterElement', text: `^${line}$` });
    await this.#firefox.shown({ selector: '.cm-lineNumbers .cm-gutterElement.cm-breakpoint', text: `^${line}$` });
  }

  /** Waits for a pause; the number of the line that is highlighted, from 1. */
  async pausedLine(): Promise<number> {
    return Number(await this.#firefox.until<string>(PAUSED_LINE));
  }

  /** Waits for a pause; the function at the top of the call stack. */
  topFrame(): Promise<string> {
    return this.#firefox.shown({ selector: '.call-frame-title-text' });
  }

  /** Types an expression into the console; what it answers, as shown. */
  async evaluate(expression: string): Promise<string> {
    const prompt = { selector: '#console-prompt' };
    const isOpen = await this.#firefox.value<boolean>("deep('#console-prompt').some(isShown)");
    if (!isOpen) await this.#firefox.key('Escape');
    const results = "deep('.console-user-command-result')";
    const before = await this.#firefox.value<number>(`${results}.length`);
    await this.#firefox.click(prompt);
    await this.#firefox.type(expression);
    await this.#firefox.key('Enter');
    return this.#firefox.until<string>(`${results}[${before}]?.textContent.trim()`);
  }

  /** Steps over, to a line that is known. */
  async stepOver(line: number): Promise<void> {
    await this.#press('Step over next function call');
    await this.#firefox.until<boolean>(`${PAUSED_LINE} === '${line}'`);
  }

  /** Lets the program go on. */
  async resume(): Promise<void> {
    await this.#press('Resume script execution');
    await this.#firefox.until<boolean>("deep('.cm-executionLine').length === 0");
  }

  async #press(name: string): Promise<void> {
    await this.#firefox.click({ selector: `button[aria-label^="${name}"]` });
  }
}

/** The number beside the highlighted line. */
const PAUSED_LINE = `((line) => {
  if (line === undefined) return null;
  const { top, height } = line.getBoundingClientRect();
  const isBeside = (number) => Math.abs(number.getBoundingClientRect().top - top) < height / 2;
  return deep('.cm-lineNumbers .cm-gutterElement').filter(isShown).find(isBeside)?.textContent;
})(deep('.cm-executionLine')[0])`;
