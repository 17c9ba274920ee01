// What DevTools takes for granted because it lives in Chromium on a secure origin, supplied where it is not
// there: Firefox, WebKit, plain HTTP to another machine, and the sandbox that the page is in.

/** CodeMirror inserts rules one by one; a selector that the browser does not know must not end it. */
function tolerateSelectors(): void {
  const insertRule = CSSStyleSheet.prototype.insertRule;
  CSSStyleSheet.prototype.insertRule = function (rule: string, index?: number): number {
    try {
      return insertRule.call(this, rule, index);
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== 'SyntaxError') throw error;
      // An empty rule keeps the positions of the others.
      return insertRule.call(this, ':not(*) {}', index);
    }
  };
}

/** RFC 9562 5.4: version 4, variant 10. Browsers offer it to secure origins only. */
function supplyRandomUuid(): void {
  if ('randomUUID' in crypto) return;
  Object.defineProperty(crypto, 'randomUUID', {
    value: () => {
      const bytes = (crypto as Crypto).getRandomValues(new Uint8Array(16));
      bytes[6] = (bytes[6]! & 0x0f) | 0x40;
      bytes[8] = (bytes[8]! & 0x3f) | 0x80;
      const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
      return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
    },
  });
}

/** Copying works by the old command; reading the clipboard does not work at all. */
function supplyClipboard(): void {
  if ('clipboard' in navigator) return;
  const writeText = (text: string): Promise<void> => {
    const area = document.createElement('textarea');
    area.value = text;
    area.style.cssText = 'position: fixed; opacity: 0';
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
    return Promise.resolve();
  };
  Object.defineProperty(navigator, 'clipboard', {
    value: { writeText, readText: () => Promise.resolve('') },
  });
}

function supplyElements(): void {
  if (!('scrollIntoViewIfNeeded' in Element.prototype)) {
    Object.defineProperty(Element.prototype, 'scrollIntoViewIfNeeded', {
      value(this: Element, center = true) {
        this.scrollIntoView({ block: center ? 'center' : 'nearest', inline: 'nearest' });
      },
    });
  }
  if (!('getSelection' in ShadowRoot.prototype)) {
    Object.defineProperty(ShadowRoot.prototype, 'getSelection', {
      value(this: ShadowRoot) {
        return this.ownerDocument.getSelection();
      },
    });
  }
}

function supplyIdleCallback(): void {
  if ('requestIdleCallback' in globalThis) return;
  const deadline = { didTimeout: false, timeRemaining: () => 10 };
  Object.assign(globalThis, {
    requestIdleCallback: (callback: (value: typeof deadline) => void) => setTimeout(() => callback(deadline), 1),
    cancelIdleCallback: (handle: number) => clearTimeout(handle),
  });
}

/** In a sandbox there is no cache to keep source maps in: they are fetched again by each page. */
function supplyCaches(): void {
  const store = { put: () => Promise.resolve(), match: () => Promise.resolve(undefined) };
  const caches = { open: () => Promise.resolve(store), delete: () => Promise.resolve(true) };
  Object.defineProperty(globalThis, 'caches', { value: caches, configurable: true });
}

/** Supplies everything that is missing. Once, before the first module of DevTools. */
export function supplyMissing(): void {
  tolerateSelectors();
  supplyRandomUuid();
  supplyClipboard();
  supplyElements();
  supplyIdleCallback();
  supplyCaches();
}
