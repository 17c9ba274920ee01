// Requests that show a secret of a group go to another group: a developer's own go to a debuggee while those
// of everybody else are served as ever. Who does not know the secret cannot tell that there is one.

import { timingSafeEqual } from 'node:crypto';
import type { Diversion } from '../wire/front-messages.ts';
import { cookieOf } from './cookie.ts';

/** True when the request (flat fields) shows the secret, by the cookie or by the field. */
export function isDiverted({ cookie, field, secret }: Diversion, fields: readonly string[]): boolean {
  const shown = fieldOf(fields, field) ?? cookieOf(fields, cookie);
  return shown !== undefined && isSame(shown, secret);
}

function fieldOf(fields: readonly string[], name: string): string | undefined {
  for (let index = 0; index + 1 < fields.length; index += 2) {
    if (fields[index]!.length === name.length && fields[index]!.toLowerCase() === name) return fields[index + 1];
  }
  return undefined;
}

function isSame(shown: string, secret: string): boolean {
  const [left, right] = [Buffer.from(shown), Buffer.from(secret)];
  return left.length === right.length && timingSafeEqual(left, right);
}
