// TLS by hand, for tests: certificates of an authority of their own, a front that shows them, clients that shake hands.

import { once } from 'node:events';
import type * as net from 'node:net';
import * as tls from 'node:tls';
import { made, madeAuthority, type MadeCertificate } from '../../test/made-certificates.ts';
import type { Origin } from '../wire/link-messages.ts';
import type { TlsState } from '../wire/tls-messages.ts';
import { withFront, type TestFront } from './front.test.support.ts';

export const authority = madeAuthority();
/** Of the listener. */
export const ORIGIN = 'https://127.0.0.1:0';

/** Of a server with this name. */
export function serverCertificate(name: string, kind: 'ec' | 'rsa' = 'ec'): MadeCertificate {
  return made(name, { kind, issuer: authority.issuer, names: [name] });
}

export const shop = serverCertificate('shop.test');
export const shopRsa = serverCertificate('shop.test', 'rsa');
export const star = serverCertificate('*.wild.test');
export const other = serverCertificate('other.test');

/** Two names: one with both kinds of keys, and a wildcard. */
export function stateOf(changes: Partial<TlsState> = {}): TlsState {
  return {
    handshake: {
      minVersion: 'TLSv1.2',
      ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256',
      curves: 'X25519:prime256v1',
      http2: false,
    },
    certificates: [
      { names: ['shop.test'], pairs: [shop, shopRsa] },
      { names: ['*.wild.test'], pairs: [star] },
    ],
    clientTrust: {},
    ticketKeys: Buffer.alloc(48, 7).toString('base64'),
    ...changes,
  };
}

/** Resolves when it is closed, well or not. */
export function closeOf(socket: net.Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

/** How a client comes. */
export interface Visit extends tls.ConnectionOptions {
  port: number;
}

/** A finished handshake, or the error that ended it. */
export async function shake(options: Visit): Promise<tls.TLSSocket> {
  const socket = tls.connect({ host: '127.0.0.1', servername: 'shop.test', ca: authority.cert, ...options });
  await once(socket, 'secureConnect');
  return socket;
}

/** Of the certificate that a client sees. */
export async function nameShown(options: Visit): Promise<string> {
  const socket = await shake({ checkServerIdentity: () => undefined, ...options });
  const subject = socket.getPeerX509Certificate()!.subject;
  socket.destroy();
  return subject;
}

/** A GET through the front to a scripted process: its answer and the origin that the process was told. */
export async function visit(
  front: TestFront,
  options: Visit,
): Promise<{ answer: string; origin: Origin; session: Buffer }> {
  const app = await front.join();
  const sessions: Buffer[] = [];
  const client = tls.connect({ host: '127.0.0.1', servername: 'shop.test', ca: authority.cert, ...options });
  client.on('session', (session) => sessions.push(session));
  client.write('GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n');
  const { channel, request } = await Promise.race([
    app.request(),
    once(client, 'close').then(() => Promise.reject(new Error('closed before the request'))),
  ]);
  app.answer(channel, 'hello');
  let answer = '';
  for await (const chunk of client) answer += String(chunk);
  app.close();
  return { answer, origin: request.origin!, session: sessions.at(-1)! };
}

/** A front with one secure listener. */
export async function withTls(
  state: TlsState,
  body: (front: TestFront, port: number) => Promise<void>,
  limits = {},
): Promise<void> {
  await withFront({ limits }, async (front) => {
    front.front.tls(state);
    const { port } = await front.front.listen({ port: 0, host: '127.0.0.1' }, ORIGIN);
    await body(front, port);
  });
}
