// The status strip at the foot of the page, in a row of its own: whether the server is there, which program this is,
// whose requests it gets, what the viewer may do, who else is there, and a way to end it all. The only part that is
// not DevTools.

import type { PageData } from '../wire/poll-messages.ts';
import type { SeenViewer, SessionSeen, ViewerRole } from '../wire/viewer-messages.ts';

const STYLE = `
  position: fixed; left: 0; right: 0; bottom: 0; z-index: 10000; height: 20px; padding: 0 8px; box-sizing: border-box;
  display: flex; white-space: pre; font: 11px/20px system-ui, sans-serif; color: #fff`;
const PROGRAM_STYLE = 'flex: auto; overflow: hidden; text-overflow: ellipsis';
const LIST_STYLE = `
  position: fixed; right: 4px; bottom: 24px; z-index: 10000; margin: 0; padding: 6px 10px; border-radius: 4px;
  font: 11px/20px system-ui, sans-serif; color: #fff; background: #3c4043; list-style: none`;
const BUTTON_STYLE = `
  font: inherit; color: inherit; background: none; border: 0; padding: 0; margin-left: 8px;
  text-decoration: underline; cursor: pointer`;
const LAST_WORDS_STYLE = `
  position: fixed; left: 0; right: 0; bottom: 20px; z-index: 10000; max-height: 40%; overflow: auto; margin: 0;
  padding: 6px 8px; box-sizing: border-box; white-space: pre-wrap; overflow-wrap: anywhere; user-select: text;
  font: 11px/16px ui-monospace, monospace; color: #fff; background: #3c4043; border-top: 2px solid #b3261e`;
/** How long the strip says that the server is back. */
const BACK_MS = 2500;
const CALM_COLOUR = '#3c4043';
const AWAY_COLOUR = '#b3261e';
const OPEN_COLOUR = '#b06000';

function button(text: string, title: string, pressed: () => void): HTMLButtonElement {
  const made = document.createElement('button');
  made.type = 'button';
  made.textContent = text;
  made.title = title;
  made.style.cssText = BUTTON_STYLE;
  made.addEventListener('click', pressed);
  return made;
}

/** The strip of one page. */
export class StatusStrip {
  #element = document.createElement('div');
  #state = document.createElement('span');
  #program = document.createElement('span');
  #list = document.createElement('ul');
  #people: HTMLButtonElement;
  #kill = document.createElement('a');
  #data: PageData;
  #isAway = false;
  #calming: ReturnType<typeof setTimeout> | undefined;
  #opened: { app: string; pid: number } | null = null;
  #seen: SessionSeen | null = null;
  #setRole: (viewer: number, role: ViewerRole) => void;

  /** `setRole` gives another viewer another role. */
  constructor(data: PageData, setRole: (viewer: number, role: ViewerRole) => void) {
    this.#data = data;
    this.#setRole = setRole;
    this.#element.id = 'slipstream-status';
    this.#element.style.cssText = STYLE;
    this.#element.setAttribute('role', 'status');
    this.#people = button('', 'Who is there', () => {
      this.#list.hidden = !this.#list.hidden;
    });
    this.#people.hidden = true;
    addEventListener('pointerdown', (event) => {
      const path = event.composedPath();
      if (!path.includes(this.#list) && !path.includes(this.#people)) this.#list.hidden = true;
    });
    this.#list.id = 'slipstream-viewers';
    this.#list.style.cssText = LIST_STYLE;
    this.#list.hidden = true;
    this.#kill.textContent = 'kill';
    this.#kill.href = new URL('?kill', document.baseURI).href;
    this.#kill.target = '_blank';
    this.#kill.title = 'Ends the debugger';
    this.#kill.style.cssText = 'color: inherit; margin-left: 8px';
    this.#program.style.cssText = PROGRAM_STYLE;
    this.#element.append(this.#state, this.#program, this.#people);
    if (data.role === 'full') this.#element.append(this.#kill);
    this.show('connecting');
    if (document.body === null) addEventListener('DOMContentLoaded', () => this.#attach());
    else this.#attach();
  }

  /** `connecting`, `connected`, `away` or `over`; one that was away is `back` for a moment. */
  show(state: string): void {
    clearTimeout(this.#calming);
    const isBack = this.#isAway && state === 'connected';
    this.#isAway = state === 'away';
    const words = this.#isAway ? 'away, trying again' : state;
    this.#state.textContent = isBack ? 'back' : words;
    if (isBack) this.#calming = setTimeout(() => this.show(state), BACK_MS);
    const { isOpen } = this.#data;
    const calm = isOpen ? OPEN_COLOUR : CALM_COLOUR;
    this.#element.style.backgroundColor = state === 'away' || state === 'over' ? AWAY_COLOUR : calm;
  }

  /** The program that is debugged. */
  tell(opened: { app: string; pid: number }): void {
    this.#opened = opened;
    this.#render();
  }

  /** Who is there, and whose requests the program gets. */
  see(seen: SessionSeen): void {
    this.#seen = seen;
    this.#render();
  }

  /** What the program printed last on stderr, now that it is gone. */
  tellLastWords(stderr: string): void {
    if (stderr.trim() === '') return;
    const lines = document.createElement('pre');
    lines.id = 'slipstream-last-words';
    lines.style.cssText = LAST_WORDS_STYLE;
    lines.textContent = `Last lines of stderr\n\n${stderr.trimEnd()}`;
    lines.prepend(button('close', 'Hides these lines', () => lines.remove()));
    (lines.firstElementChild as HTMLElement).style.float = 'right';
    document.body.append(lines);
    lines.scrollTop = lines.scrollHeight;
  }

  #render(): void {
    const { isOpen, port } = this.#data;
    const local = port === undefined ? '' : ` · inspector at port ${port}, open to users of that machine`;
    const warning = isOpen ? ' · open to everybody (debuggerAuth: none)' : local;
    const { app = '', pid = 0 } = this.#opened ?? {};
    const scope = this.#seen === null ? '' : ` · ${this.#seen.scope === 'mine' ? 'own requests' : 'all requests'}`;
    this.#program.textContent = ` · ${app} [${pid}]${scope} · ${this.#role()}${warning}`;
    const viewers = this.#seen?.viewers ?? [];
    this.#people.hidden = viewers.length === 0;
    this.#people.textContent = viewers.length === 1 ? '1 viewer' : `${viewers.length} viewers`;
    this.#list.replaceChildren(...viewers.map((viewer) => this.#row(viewer)));
  }

  #role(): ViewerRole {
    const { viewers = [], self = 0 } = this.#seen ?? {};
    return viewers.find(({ viewer }) => viewer === self)?.role ?? this.#data.role;
  }

  #row({ viewer, name, role, granted }: SeenViewer): HTMLLIElement {
    const row = document.createElement('li');
    const isSelf = viewer === this.#seen?.self;
    row.textContent = `${viewer}. ${name}${isSelf ? ' (you)' : ''}: ${role}`;
    if (isSelf || this.#role() !== 'full' || granted === 'observe') return row;
    if (role === 'observe') row.append(button(granted, 'Gives the role back', () => this.#setRole(viewer, granted)));
    else row.append(button('read-only', 'Lets this viewer only look', () => this.#setRole(viewer, 'observe')));
    return row;
  }

  #attach(): void {
    document.body.append(this.#element, this.#list);
  }
}
