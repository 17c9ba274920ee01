// A request as it goes to a backend that speaks HTTP/1.1. Pure.

import type { ClientCertificate, LinkRequest } from '../wire/link-messages.ts';

/** RFC 9110 9.2.2: doing it twice is the same as doing it once. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

/** True when the request may be sent again by somebody who does not know whether it was carried out. */
export function isRepeatable(request: LinkRequest): boolean {
  return request.ended && !request.upgrade && IDEMPOTENT.has(request.method);
}

/** What a backend is told of a client's certificate. */
export type ClientCertMode = 'off' | 'leaf' | 'chain';

/**
 * RFC 9440 2: the certificate, and its issuers, as lines. Only of a client whose chain is trusted: a backend takes
 * the field for that.
 */
export function clientCertFields(client: ClientCertificate | undefined, mode: ClientCertMode): string {
  if (mode === 'off' || client?.error !== '') return '';
  const [own, ...issuers] = client.chain.map((der) => `:${der}:`);
  const chain = mode === 'chain' && issuers.length > 0 ? `Client-Cert-Chain: ${issuers.join(', ')}\r\n` : '';
  return `Client-Cert: ${own}\r\n${chain}`;
}

/** The head in Latin-1 and whether the body behind it is chunked. `authority` is the Host where none came. */
export function backendRequest(
  request: LinkRequest,
  authority: string,
  addedLines = '',
): { head: string; isChunked: boolean } {
  const { target, host } = originForm(request);
  let text = `${request.method} ${target} HTTP/1.1\r\n`;
  let [hasHost, hasLength, isChunked] = [false, false, false];
  for (let index = 0; index + 1 < request.fields.length; index += 2) {
    const name = request.fields[index]!;
    switch (name.toLowerCase()) {
      case 'host':
        hasHost = true;
        break;
      case 'content-length':
        hasLength = true;
        break;
      case 'transfer-encoding':
        isChunked = true;
        break;
    }
    text += `${name}: ${request.fields[index + 1]!}\r\n`;
  }
  if (!hasHost) text += `Host: ${host === '' ? authority : host}\r\n`;
  // HTTP/2 ends a body without either.
  if (!request.ended && !hasLength && !isChunked) {
    isChunked = true;
    text += 'Transfer-Encoding: chunked\r\n';
  }
  // RFC 9110 7.6.3: a gateway names itself.
  text += `Via: ${request.version === 20 ? '2' : request.version === 10 ? '1.0' : '1.1'} slipstream\r\n`;
  return { head: `${text}${addedLines}\r\n`, isChunked };
}

/** RFC 9112 3.2.1: only proxies are sent the absolute form. */
function originForm(request: LinkRequest): { target: string; host: string } {
  const { target, method } = request;
  const match = method === 'CONNECT' ? null : /^https?:\/\/([^/?]*)(.*)$/i.exec(target);
  if (match === null) return { target, host: '' };
  const rest = match[2]!;
  if (rest === '' && method === 'OPTIONS') return { target: '*', host: match[1]! };
  return { target: rest.startsWith('/') ? rest : `/${rest}`, host: match[1]! };
}
