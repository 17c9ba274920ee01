// Hosts that want their clients on https: plain requests are sent there, and answers over TLS say that it shall be
// so the next time (HSTS, RFC 6797). Nothing happens to a request where no row of `tls.hosts` fits.

import type { Answer } from '../wire/front-messages.ts';
import type { Origin } from '../wire/link-messages.ts';
import type { SecureHost } from '../wire/tls-messages.ts';
import type { AnswerOutput } from './answer-writer.ts';
import { isForwardedHttps } from './forwarded.ts';
import type { RequestHead } from './request-head.ts';
import { NameTable } from './tls-store.ts';

/** RFC 8555 8.3: an authority asks here, over plain HTTP, before there is a certificate. */
const CHALLENGE_PATH = '/.well-known/acme-challenge/';
const HTTPS_PORT = 443;

/** A request as far as it matters here. */
export interface JudgedRequest {
  head: RequestHead;
  origin: Origin;
  /** The peer may speak for others. */
  isTrusted: boolean;
}

interface Row {
  redirectPort: number | null;
  fields: readonly string[];
}

/** See the file head. */
export class SecureHosts {
  /** Rows of one port, and of all. */
  #tables = new Map<number | 'all', NameTable<Row>>();

  /** Null: no host asks for anything. */
  static from(hosts: readonly SecureHost[] = []): SecureHosts | null {
    return hosts.length === 0 ? null : new SecureHosts(hosts);
  }

  constructor(hosts: readonly SecureHost[]) {
    for (const { names, ports, redirectPort, hsts } of hosts) {
      const row: Row = { redirectPort, fields: hsts === null ? [] : ['Strict-Transport-Security', hsts] };
      for (const port of ports ?? ['all' as const]) {
        const table = this.#tables.get(port) ?? new NameTable<Row>();
        this.#tables.set(port, table);
        for (const name of names) table.add(name, row);
      }
    }
  }

  /** Lets the answer over TLS say that it is. The answer instead, if the client is to come again over https. */
  settle({ head, origin, isTrusted }: JudgedRequest, writer: AnswerOutput): Answer | null {
    const name = hostName(head.host === '' ? plainAddress(origin.localAddress) : head.host);
    const row = this.#rowOf(origin.localPort, name);
    if (row === undefined) return null;
    if (origin.encrypted || (isTrusted && isForwardedHttps(head.fields))) {
      if (row.fields.length > 0) writer.addFields(row.fields);
      return null;
    }
    if (row.redirectPort === null || head.path.startsWith(CHALLENGE_PATH)) return null;
    const port = row.redirectPort === HTTPS_PORT ? '' : `:${row.redirectPort}`;
    return redirectTo(`https://${name}${port}${head.path}${head.query}`);
  }

  #rowOf(port: number, name: string): Row | undefined {
    for (const table of [this.#tables.get(port), this.#tables.get('all')]) {
      const row = table?.find(name) ?? table?.everybody;
      if (row !== undefined) return row;
    }
    return undefined;
  }
}

/** Permanent, and the method and the body come along. */
function redirectTo(location: string): Answer {
  const fields = ['Location', location, 'Content-Type', 'text/plain'];
  return { status: 308, fields, body: `This is served at ${location}\n` };
}

/** The host without its port. */
function hostName(host: string): string {
  const end = host.startsWith('[') ? host.indexOf(']') + 1 : host.indexOf(':');
  return end > 0 ? host.slice(0, end) : host;
}

/** An address as it stands in a URL. */
function plainAddress(address: string): string {
  const plain = address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
  return plain.includes(':') ? `[${plain}]` : plain;
}
