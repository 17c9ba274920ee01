// The status strip in the corner of the page: whether the server is there, which program this is, what the
// viewer may do, and a way to end it all. The only part of the page that is not DevTools.

import type { PageData } from '../wire/poll-messages.ts';

const STYLE = `
  position: fixed; right: 0; bottom: 0; z-index: 10000; padding: 1px 8px; border-radius: 4px 0 0 0;
  font: 11px/18px system-ui, sans-serif; color: #fff; pointer-events: none; opacity: .9`;
const CALM_COLOUR = '#3c4043';
const AWAY_COLOUR = '#b3261e';
const OPEN_COLOUR = '#b06000';

/** The strip of one page. */
export class StatusStrip {
  #element = document.createElement('div');
  #state = document.createElement('span');
  #program = document.createElement('span');
  #kill = document.createElement('a');
  #data: PageData;

  constructor(data: PageData) {
    this.#data = data;
    this.#element.id = 'slipstream-status';
    this.#element.style.cssText = STYLE;
    this.#element.setAttribute('role', 'status');
    this.#kill.textContent = 'kill';
    this.#kill.href = new URL('?kill', document.baseURI).href;
    this.#kill.target = '_blank';
    this.#kill.title = 'Ends the debugger';
    this.#kill.style.cssText = 'color: inherit; pointer-events: auto; margin-left: 8px';
    this.#element.append(this.#state, this.#program);
    if (data.role === 'full') this.#element.append(this.#kill);
    this.show('connecting');
    if (document.body === null) addEventListener('DOMContentLoaded', () => this.#attach());
    else this.#attach();
  }

  /** `connecting`, `connected`, `away` or `over`. */
  show(state: string): void {
    this.#state.textContent = state;
    const { isOpen } = this.#data;
    const calm = isOpen ? OPEN_COLOUR : CALM_COLOUR;
    this.#element.style.backgroundColor = state === 'away' || state === 'over' ? AWAY_COLOUR : calm;
  }

  /** The program that is debugged. */
  tell({ app, pid }: { app: string; pid: number }): void {
    const { role, isOpen } = this.#data;
    const warning = isOpen ? ' · open to everybody (debuggerAuth: none)' : '';
    this.#program.textContent = ` · ${app} [${pid}] · ${role}${warning}`;
  }

  #attach(): void {
    document.body.append(this.#element);
  }
}
