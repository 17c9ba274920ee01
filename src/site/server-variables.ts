// Server variables as IIS names them, for the conditions and texts of rewrite rules. Those that follow the
// rewritten URL are laid over these by rewrite.ts.

import type { IncomingMessage } from 'node:http';
import type { Variables } from './template.ts';

/** The variables of a request. */
export function variablesOf(request: IncomingMessage, folder: string): Variables {
  const { socket, headers } = request;
  const header = (name: string): string => {
    const value = headers[name];
    return Array.isArray(value) ? value.join(', ') : (value ?? '');
  };
  // The front has put its own there, or what a proxy said that it trusts.
  const forwarded = header('x-forwarded-proto').split(',')[0]!.trim().toLowerCase();
  const isSecure = forwarded === '' ? (socket as { encrypted?: boolean }).encrypted === true : forwarded === 'https';
  const host = header('host');
  const name = host.replace(/:\d+$/, '');
  return (variable) => {
    switch (variable) {
      case 'REQUEST_URI':
      case 'UNENCODED_URL':
      case 'HTTP_URL':
        return request.url ?? '/';
      case 'CACHE_URL':
        return `${isSecure ? 'https' : 'http'}://${host}${request.url ?? '/'}`;
      case 'HTTPS':
        return isSecure ? 'on' : 'off';
      case 'SERVER_PORT_SECURE':
        return isSecure ? '1' : '0';
      case 'REQUEST_SCHEME':
        return isSecure ? 'https' : 'http';
      case 'SERVER_NAME':
        return name;
      case 'SERVER_PORT':
        return /:(\d+)$/.exec(host)?.[1] ?? (isSecure ? '443' : '80');
      case 'SERVER_PROTOCOL':
      case 'HTTP_VERSION':
        return `HTTP/${request.httpVersion}`;
      case 'REQUEST_METHOD':
      case 'HTTP_METHOD':
        return request.method ?? '';
      case 'REMOTE_ADDR':
      case 'REMOTE_HOST':
        return socket.remoteAddress ?? '';
      case 'REMOTE_PORT':
        return String(socket.remotePort ?? '');
      case 'LOCAL_ADDR':
        return socket.localAddress ?? '';
      case 'CONTENT_TYPE':
        return header('content-type');
      case 'CONTENT_LENGTH':
        return header('content-length');
      case 'DOCUMENT_ROOT':
      case 'APPL_PHYSICAL_PATH':
        return folder;
      default:
        return variable.startsWith('HTTP_') ? header(variable.slice(5).toLowerCase().replaceAll('_', '-')) : undefined;
    }
  };
}
