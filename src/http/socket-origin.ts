// Where a client connection comes from, as its socket tells it; for TLS also what the handshake settled.

import type { Socket } from 'node:net';
import { TLSSocket, type DetailedPeerCertificate } from 'node:tls';
import type { ClientCertificate, Origin, TlsOrigin } from '../wire/link-messages.ts';

/** Longest chain that is told; what a client sends beyond it is of no use. */
const CHAIN_MAX = 10;

/** Ends that a trusted proxy told, by socket. */
const claimed = new WeakMap<Socket, Pick<Origin, 'remoteAddress' | 'remotePort' | 'localAddress' | 'localPort'>>();

/** From now on the connection comes from where a trusted proxy says. */
export function claimEnds(
  socket: Socket,
  ends: Pick<Origin, 'remoteAddress' | 'remotePort' | 'localAddress' | 'localPort'>,
): void {
  claimed.set(socket, ends);
}

/** The secure connection over `raw` comes from where `raw` does. */
export function inheritEnds(secure: Socket, raw: Socket): void {
  const ends = claimed.get(raw);
  if (ends !== undefined) claimed.set(secure, ends);
}

/** The address that counts for limits. */
export function clientAddressOf(socket: Socket): string {
  return claimed.get(socket)?.remoteAddress ?? socket.remoteAddress ?? '';
}

/** Asks the system twice: to be kept. What a closed socket does not know any more is '' or 0. */
export function originOf(socket: Socket): Origin {
  const origin: Origin = {
    remoteAddress: socket.remoteAddress ?? '',
    remotePort: socket.remotePort ?? 0,
    localAddress: socket.localAddress ?? '',
    localPort: socket.localPort ?? 0,
    encrypted: socket instanceof TLSSocket,
  };
  const ends = claimed.get(socket);
  if (ends !== undefined) Object.assign(origin, ends, { relayed: true });
  if (socket instanceof TLSSocket && !socket.destroyed) origin.tls = tlsOriginOf(socket);
  return origin;
}

function tlsOriginOf(socket: TLSSocket): TlsOrigin {
  const { name, standardName, version } = socket.getCipher();
  // Typed as a text; false without an answer to the question.
  const { alpnProtocol, servername } = socket as { alpnProtocol: string | false | null } & {
    servername?: string | false;
  };
  const tls: TlsOrigin = {
    protocol: socket.getProtocol() ?? '',
    cipher: { name, standardName, version },
    servername: servername === false || servername === undefined ? '' : servername,
    alpn: alpnProtocol === false || alpnProtocol === null ? '' : alpnProtocol,
  };
  const client = clientCertificateOf(socket);
  if (client !== null) tls.client = client;
  return tls;
}

/** Null: the client showed none. `authorized` alone is not asked: a session resumed without one has it, too. */
function clientCertificateOf(socket: TLSSocket): ClientCertificate | null {
  let certificate: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  if (certificate?.raw === undefined) return null;
  const chain: string[] = [];
  while (certificate?.raw !== undefined && chain.length < CHAIN_MAX) {
    const text = certificate.raw.toString('base64');
    // A root names itself as its issuer.
    if (chain.includes(text)) break;
    chain.push(text);
    certificate = certificate.issuerCertificate;
  }
  const error = socket.authorizationError as unknown;
  return { error: socket.authorized ? '' : String(error ?? 'UNSPECIFIED'), chain };
}

/** Cuts a connection so that nobody takes what came of an answer for the whole of it. */
export function cutSocket(socket: Socket): void {
  // A TLS connection has no reset of its own; without its closing alert it is known to be cut.
  if (socket instanceof TLSSocket) socket.destroy();
  else socket.resetAndDestroy();
}
