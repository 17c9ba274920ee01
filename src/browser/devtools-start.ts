// A classic script that runs before the modules of DevTools: supplies what the browser lacks and puts the
// settings that came with the page where DevTools looks for localStorage.

import { pageClock } from './devtools-clock.ts';
import { supplyMissing } from './devtools-compat.ts';
import { keyFields, readPageData, SESSION_END } from './page-data.ts';
import { createSettingStorage } from './setting-storage.ts';
import type { SettingStorage } from './setting-storage.ts';
import { SettingWriter } from './setting-writer.ts';

/** Which panel is open is a matter of this page: a page opens with the sources. */
const PANEL_SETTING = 'panel-selected-tab';

/** What the server need not keep: the panel, and a list of telephones. */
const PAGE_SETTINGS = new Set([PANEL_SETTING, 'standard-emulated-device-list']);

const page = globalThis as typeof globalThis & {
  /** The build of DevTools says this name for localStorage. */
  slipstreamStorage: SettingStorage;
};

supplyMissing();

const data = readPageData(document);

const writer = new SettingWriter({
  url: new URL('cdp/settings', document.baseURI).href,
  fetch: (url, request) => fetch(url, { ...request, headers: { ...request.headers, ...keyFields(data) } }),
  clock: pageClock,
});

const initial: Record<string, string> = { ...data.settings, [PANEL_SETTING]: '"sources"' };

page.slipstreamStorage = createSettingStorage(initial, (name, value) => {
  if (!PAGE_SETTINGS.has(name)) writer.change(name, value);
});

addEventListener('pagehide', () => writer.flush());
// The session takes what is said in a hurry, and is gone a moment later.
addEventListener(SESSION_END, () => writer.flush());
