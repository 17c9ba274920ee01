// `maxHeaderSize` of a server, for requests whose head the front has read already: a longer one is refused as node
// refuses it, by 'clientError' or, where nobody listens to that, by 431.

import type { Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { LinkRequest } from '../wire/link-messages.ts';

/** What the front adds does not count: the client did not send it. */
const ADDED = /^(?:x-forwarded-\w+|forwarded|via)$/i;

const ANSWER = 'HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n\r\n';

/** As node's parser counts: target, names and values. */
function headBytes({ target, fields }: LinkRequest): number {
  let bytes = target.length;
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const [name, value] = [fields[index]!, fields[index + 1]!];
    if (!ADDED.test(name)) bytes += name.length + value.length;
  }
  return bytes;
}

/** True when the head is longer than the program allows. A program that says nothing gets what the front allows. */
export function isHeadTooLong(server: Server, request: LinkRequest): boolean {
  const { maxHeaderSize } = server as Server & { maxHeaderSize?: number };
  return typeof maxHeaderSize === 'number' && maxHeaderSize > 0 && headBytes(request) >= maxHeaderSize;
}

/** Refuses the request that has begun on the socket. */
export function refuseLongHead(server: Server, socket: Duplex): void {
  const error = Object.assign(new Error('Parse Error: Header overflow'), {
    code: 'HPE_HEADER_OVERFLOW',
    reason: 'Header overflow',
    bytesParsed: 0,
  });
  if (server.emit('clientError', error, socket)) return;
  socket.write(ANSWER);
  socket.destroy();
}
