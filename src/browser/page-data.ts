// What the server put into the page: its key, and the settings kept with the app. The page has an origin of
// its own, so nothing of it is kept in the browser.

import { KEY_FIELD, type PageData } from '../wire/poll-messages.ts';

/** The event of the window that says that the session is over. */
export const SESSION_END = 'slipstream-session-end';

/** The part of a document that is used here. */
export interface DataPage {
  getElementById(id: string): { textContent: string | null } | null;
}

/** Reads the data block; a page that has none gets no further than its first request. */
export function readPageData(page: DataPage): PageData {
  const text = page.getElementById('slipstream-page')?.textContent ?? '{}';
  const data = JSON.parse(text) as Partial<PageData>;
  return { key: '', role: 'full', settings: {}, isOpen: false, ...data };
}

/** The fields that show the key. */
export function keyFields({ key }: PageData): Record<string, string> {
  return { [KEY_FIELD]: key };
}
