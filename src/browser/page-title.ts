// Title and icon of the page: which app this is, and whether some thread of it stands.

import type { CdpMessage } from '../wire/poll-messages.ts';

interface Icon {
  getAttribute(name: string): string | null;
  setAttribute(name: string, value: string): void;
}

/** The part of a page that is used here. */
export interface TitledPage {
  title: string;
  querySelector(selector: string): Icon | null;
}

/** Two bars on amber: it stands. */
const PAUSED_ICON =
  'data:image/svg+xml,' +
  encodeURIComponent(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#b06000"/>' +
      '<path d="M11 8v16M21 8v16" stroke="#fff" stroke-width="5"/></svg>',
  );

/** Follows the messages of one session. */
export class PageTitle {
  #page: TitledPage;
  #name: string;
  #icon: string | null = null;
  /** Sessions of the threads that stand. */
  #standing = new Set<string>();

  constructor(page: TitledPage) {
    this.#page = page;
    this.#name = page.title;
  }

  /** The app is known. */
  tell({ app, pid }: { app: string; pid: number }): void {
    this.#name = `${app === '' ? 'app' : app} [${pid}] – debugger`;
    this.#show();
  }

  /** A message from the session proxy. */
  hear({ method, sessionId = '', params }: CdpMessage): void {
    if (method === 'Debugger.paused') this.#standing.add(sessionId);
    else if (method === 'Debugger.resumed') this.#standing.delete(sessionId);
    else if (method === 'Target.detachedFromTarget') this.#standing.delete(String(params?.['sessionId']));
    else return;
    this.#show();
  }

  #show(): void {
    const isPaused = this.#standing.size > 0;
    this.#page.title = isPaused ? `⏸ ${this.#name}` : this.#name;
    const link = this.#page.querySelector('link[rel=icon]');
    this.#icon ??= link?.getAttribute('href') ?? null;
    if (this.#icon !== null) link?.setAttribute('href', isPaused ? PAUSED_ICON : this.#icon);
  }
}
