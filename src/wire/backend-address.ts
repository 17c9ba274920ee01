// Where a backend listens that is no process of the host: checked by the host, dialled by the front.

import { HostError } from '../base/host-error.ts';

/** `authority` is the Host for requests that bring none. */
export type BackendAddress =
  | { kind: 'tcp'; host: string; port: number; authority: string }
  | { kind: 'unix'; path: string; authority: string };

/**
 * `http://host:port` without a path, or `unix:/path`. `where` names the source in errors.
 * @throws HostError CONFIG_INVALID
 */
export function parseBackend(text: string, where: string): BackendAddress {
  const bad = (why: string): HostError =>
    new HostError('CONFIG_INVALID', `${where}: "${text}" ${why}; expected http://host:port or unix:/path`);
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length);
    if (!path.startsWith('/') || path.includes('\0')) throw bad('is no absolute path');
    return { kind: 'unix', path, authority: 'localhost' };
  }
  const match = /^http:\/\/(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?\/?$/.exec(text);
  if (match === null) throw bad('is no backend');
  const port = match[2] === undefined ? 80 : Number(match[2]);
  if (port < 1 || port > 65_535) throw bad('has no port from 1 to 65535');
  const authority = port === 80 ? match[1]! : `${match[1]!}:${port}`;
  return { kind: 'tcp', host: match[1]!.replace(/^\[|\]$/g, ''), port, authority };
}
