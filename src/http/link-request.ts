// A checked request head -> what a process gets of it, and what error pages want to know of it. Pure.

import type { LinkRequest } from '../wire/link-messages.ts';
import type { RequestHead } from './request-head.ts';

/** The request as it travels, with the fields that the app sees. `ended`: no body follows. */
export function linkRequest(
  { method, target, version, upgrade, isHttp2 }: RequestHead,
  { fields, ended, local }: Pick<LinkRequest, 'fields' | 'ended' | 'local'>,
): LinkRequest {
  return { version: isHttp2 === true ? 20 : version, method, target, fields, ended, upgrade, local };
}

/** The value of Accept, '' without one or without a head. */
export function acceptOf(head: RequestHead | null): string {
  const fields = head?.fields ?? [];
  for (let index = 0; index < fields.length; index += 2) {
    if (fields[index]!.length === 6 && fields[index]!.toLowerCase() === 'accept') return fields[index + 1]!;
  }
  return '';
}
