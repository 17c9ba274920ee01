// What the host says to a request that no route but its own knows: look again, the index page, or nothing.

import type { App } from '../apps/apps.ts';
import { indexPage } from '../dashboard/index-page.ts';
import type { AskedRequest, Decision } from '../wire/front-messages.ts';
import type { HostSnapshot } from '../wire/status.ts';

export interface IndexDoor {
  apps: readonly Pick<App, 'path'>[];
  /** Who may see the index page. */
  index: string;
  snapshot(): HostSnapshot;
}

/** Decides on such a request, once the folders were looked at. `pass`: nothing is there for this client. */
export function decideOnIndex(request: AskedRequest, { apps, index, snapshot }: IndexDoor): Decision {
  const path = `${request.path}/`;
  if (apps.some((app) => path.startsWith(app.path))) return { kind: 'again' };
  const mayIndex = index === 'everyone' || (index === 'local' && request.local);
  if (request.path !== '/' || !mayIndex) return { kind: 'pass' };
  if (request.method !== 'GET' && request.method !== 'HEAD') return { kind: 'pass' };
  const fields = ['Content-Type', 'text/html; charset=utf-8', 'Cache-Control', 'no-store'];
  fields.push('Content-Security-Policy', "default-src 'none'; style-src 'unsafe-inline'; img-src data:");
  return { kind: 'answer', answer: { status: 200, fields, body: indexPage(snapshot()) } };
}

/** An answer of one text, for whom it concerns. */
export function plainAnswer(status: number, body: string): Decision {
  const fields = ['Content-Type', 'text/plain; charset=utf-8', 'Cache-Control', 'no-store'];
  return { kind: 'answer', answer: { status, fields, body } };
}
