// Where debuggers have listeners of their own: what their URLs say on all others.

import { isLoopbackHost } from '../base/loopback.ts';
import type { AskedRequest, Decision } from '../wire/front-messages.ts';

/** A person at this machine is led there; to everybody else nothing is here. `urls` are those of the listeners. */
export function decideOnAway(request: AskedRequest, urls: readonly string[]): Decision {
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  const place = request.local && isRead ? placeOf(request, urls[0]) : null;
  // The group answers: not found.
  if (place === null) return { kind: 'pass' };
  // A browser would keep one that is for good.
  const fields = ['Location', place, 'Cache-Control', 'no-store', 'Content-Type', 'text/plain; charset=utf-8'];
  return { kind: 'answer', answer: { status: 307, fields, body: `The debugger is at ${place}\n` } };
}

/** The same path, at the name that was asked for where the listener has none of its own. */
function placeOf({ fields, target }: AskedRequest, url: string | undefined): string | null {
  const index = fields.findIndex((name, at) => at % 2 === 0 && name.toLowerCase() === 'host');
  const asked = fields[index + 1] ?? '';
  const own = /^(https?):\/\/(\[[^\]]+\]|[^:/]+)(:\d+)?/.exec(url ?? '');
  if (own === null || !isLoopbackHost(asked)) return null;
  const [, scheme, host, port = ''] = own;
  const name = host === '*' || host === '+' ? asked.replace(/:\d+$/, '') : host;
  return `${scheme}://${name}${port}${target.replace(/^[/\\]+/, '/')}`;
}
