// A browser that is driven from outside over some kind of WebDriver: elements are found through the shadow roots of
// DevTools, keys and clicks are those of a person. Who extends it says how scripts and actions get there.

import { assert } from '../src/base/assert.ts';

/** How long anything on the page may take, in ms. */
const PATIENCE_MS = 30_000;
const LOOK_AGAIN_MS = 50;

/** W3C WebDriver 17.4.2: keys without a character. */
const KEYS = { Control: '\uE009', Enter: '\uE007', Escape: '\uE00C' } as const;

/** Every element that matches, in the document and in all shadow roots below it; runs in the page. */
const DEEP = `function deep(selector, text) {
  const found = [];
  const look = (root) => {
    for (const element of root.querySelectorAll('*')) {
      if (element.matches(selector) && (text === undefined || new RegExp(text).test(element.textContent))) {
        found.push(element);
      }
      if (element.shadowRoot !== null) look(element.shadowRoot);
    }
  };
  look(document);
  return found;
}
function isShown(element) {
  const { width, height } = element.getBoundingClientRect();
  return width > 0 && height > 0;
}`;

/** What is looked for on a page: a selector, and a pattern for the text of the element. */
export interface Wanted {
  selector: string;
  text?: string;
}

/** A browser and its page. */
export abstract class DrivenBrowser {
  /** Errors of the page itself, as far as the browser tells them. */
  readonly errors: string[] = [];

  /** As if the address was typed; resolves when the page has loaded. */
  abstract open(url: string): Promise<void>;

  abstract reload(): Promise<void>;

  abstract close(): Promise<void>;

  /** The value, a JSON text or nothing, of a body of a function that is run in the page. */
  protected abstract run(body: string): Promise<string | undefined>;

  /** Performs actions of input sources, as WebDriver defines them. */
  protected abstract act(actions: object[]): Promise<void>;

  /** The value of an expression in the page; `deep(selector, text)` finds elements. Only JSON comes back. */
  async value<Value>(expression: string): Promise<Value> {
    const text = await this.run(`${DEEP}; return JSON.stringify(${expression});`);
    return (text === undefined ? undefined : JSON.parse(text)) as Value;
  }

  /** Waits until an expression has a value that means yes. */
  async until<Value>(expression: string): Promise<Value> {
    const endMs = performance.now() + PATIENCE_MS;
    for (;;) {
      const found = await this.value<Value | null | false>(expression);
      if (found !== null && found !== false && found !== undefined) return found;
      assert(performance.now() < endMs, `not on the page: ${expression}; errors: ${this.errors.join('; ')}`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
    }
  }

  /** Waits for an element that can be seen; its text. */
  async shown(wanted: Wanted): Promise<string> {
    const text = await this.until<{ text: string }>(
      `((element) => element && { text: element.textContent.trim() })(${elementOf(wanted)})`,
    );
    return text.text;
  }

  /** Waits for an element, and clicks into its midst. */
  async click(wanted: Wanted): Promise<void> {
    await this.shown(wanted);
    const { x, y } = await this.until<{ x: number; y: number }>(`((element) => {
      if (!element) return null;
      const { left, top, width, height } = element.getBoundingClientRect();
      return { x: Math.floor(left + width / 2), y: Math.floor(top + height / 2) };
    })(${elementOf(wanted)})`);
    const actions = [
      { type: 'pointerMove', x, y },
      { type: 'pointerDown', button: 0 },
      { type: 'pointerUp', button: 0 },
    ];
    await this.act([{ type: 'pointer', id: 'mouse', parameters: { pointerType: 'mouse' }, actions }]);
  }

  /** Types a text. */
  async type(text: string): Promise<void> {
    await this.#press([...text].flatMap((value) => [{ type: 'keyDown', value }, { type: 'keyUp', value }]));
  }

  /** Presses a key, with others held down. */
  async key(key: string, ...held: (keyof typeof KEYS)[]): Promise<void> {
    const value = Object.hasOwn(KEYS, key) ? KEYS[key as keyof typeof KEYS] : key;
    await this.#press([
      ...held.map((name) => ({ type: 'keyDown', value: KEYS[name] })),
      { type: 'keyDown', value },
      { type: 'keyUp', value },
      ...held.map((name) => ({ type: 'keyUp', value: KEYS[name] })),
    ]);
  }

  #press(actions: object[]): Promise<void> {
    return this.act([{ type: 'key', id: 'keyboard', actions }]);
  }
}

function elementOf({ selector, text }: Wanted): string {
  const words = text === undefined ? [selector] : [selector, text];
  return `deep(${words.map((word) => JSON.stringify(word)).join(', ')}).find(isShown)`;
}
