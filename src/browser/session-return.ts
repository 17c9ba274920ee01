// After the end of a session the page asks now and then whether there is a new one, as after a changed file,
// and then goes there by itself. Asking starts nothing: a killed debugger stays killed.

import type { Clock } from '../base/clock.ts';

/** Pause between two questions, in ms: the first minute, and later. */
export const ASK_SOON_MS = 500;
export const ASK_LATER_MS = 5000;
const SOON_COUNT = 120;
/** Then the page is given up. */
const COUNT_MAX = 2000;

/** What {@link awaitSession} needs. */
export interface SessionReturnOptions {
  /** `<app>/debug/cdp/`, absolute. */
  base: string;
  fetch: (url: string) => Promise<{ status: number }>;
  clock: Clock;
  /** There is a new session. */
  onBack(): void;
}

/** Asks until there is a session; returns at once. */
export function awaitSession(options: SessionReturnOptions): void {
  const url = new URL('alive', options.base).href;
  let count = 0;
  const ask = (): void => {
    options.fetch(url).then(
      ({ status }) => (status === 204 ? options.onBack() : again()),
      () => again(),
    );
  };
  const again = (): void => {
    count += 1;
    if (count < COUNT_MAX) options.clock.after(count < SOON_COUNT ? ASK_SOON_MS : ASK_LATER_MS, ask);
  };
  again();
}
