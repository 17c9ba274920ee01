// What a program that ran under iisnode finds on its requests and answers: promoted server variables, and the
// field iisnode-debug. Only folders of iisnode ask for it, by variables that the host sets.

import type { Server, ServerResponse } from 'node:http';
import { hostname } from 'node:os';
import type { LinkRequest } from '../wire/link-messages.ts';

/** Ends of the connection that a request came on. */
export interface RequestEnds {
  remoteAddress?: string | undefined;
  remotePort?: number | undefined;
  localAddress?: string | undefined;
  localPort?: number | undefined;
  encrypted?: boolean;
}

interface Traits {
  /** Server variables that become fields, in the order of the fields. */
  variables: readonly string[];
  appName: string;
  /** The version that the program sees; the field iisnode-debug names it. */
  version: string;
  hasDebugHeader: boolean;
  /** The front leaves them out for clients at this machine. */
  hasForwardedFor: boolean;
  processes: string;
}

const PROMOTED = /^x-iisnode-/i;

let traits: Traits | null = null;
let served = 0;
let active = 0;

/** Reads what the host asks for. Without IISNODE_VERSION requests and answers are left alone. */
export function readIisnodeTraits(env: NodeJS.ProcessEnv): void {
  const version = env['IISNODE_VERSION'];
  if (version === undefined) {
    traits = null;
    return;
  }
  const names = (env['SLIPSTREAM_SERVER_VARIABLES'] ?? '').split(',').map((name) => name.trim());
  traits = {
    // The original goes through its list from the end.
    variables: names.filter((name) => /^\w{1,128}$/.test(name)).toReversed(),
    appName: env['SLIPSTREAM_APP'] ?? '',
    version,
    hasDebugHeader: env['SLIPSTREAM_DEBUG_HEADER'] !== undefined,
    hasForwardedFor: env['SLIPSTREAM_ENABLE_XFF'] !== undefined,
    processes: env['SLIPSTREAM_DEBUG_HEADER'] ?? '1',
  };
}

/** The fields as the program sees them: what a client says in our names is taken out, server variables put in. */
export function promotedFields({ fields, method, target, version }: LinkRequest, ends: RequestEnds): string[] {
  if (traits === null) return fields;
  const { variables, appName, hasForwardedFor } = traits;
  const has = (pattern: RegExp): boolean => fields.some((name, index) => index % 2 === 0 && pattern.test(name));
  if (variables.length === 0 && !hasForwardedFor && !has(PROMOTED)) return fields;
  const kept: string[] = [];
  for (let index = 0; index < fields.length; index += 2) {
    if (!PROMOTED.test(fields[index]!)) kept.push(fields[index]!, fields[index + 1]!);
  }
  if (hasForwardedFor && !has(/^x-forwarded-for$/i)) kept.push('X-Forwarded-For', ends.remoteAddress ?? '');
  const scheme = ends.encrypted === true ? 'https' : 'http';
  if (hasForwardedFor && !has(/^x-forwarded-proto$/i)) kept.push('X-Forwarded-Proto', scheme);
  const [path = '', query = ''] = target.split(/\?(.*)/s);
  const values: Readonly<Record<string, string | undefined>> = {
    // Nobody signs in with the front.
    AUTH_USER: '', AUTH_TYPE: '', LOGON_USER: '', UNMAPPED_REMOTE_USER: '', REMOTE_USER: '',
    REQUEST_METHOD: method,
    APP_POOL_ID: appName,
    HTTP_VERSION: `HTTP/${version === 10 ? '1.0' : version === 20 ? '2.0' : '1.1'}`,
    SERVER_PROTOCOL: `HTTP/${version === 10 ? '1.0' : version === 20 ? '2.0' : '1.1'}`,
    REMOTE_ADDR: ends.remoteAddress,
    REMOTE_HOST: ends.remoteAddress,
    REMOTE_PORT: text(ends.remotePort),
    LOCAL_ADDR: ends.localAddress,
    SERVER_PORT: text(ends.localPort),
    HTTPS: ends.encrypted === true ? 'on' : 'off',
    QUERY_STRING: query,
    URL: path,
  };
  for (const name of variables) {
    const upper = name.toUpperCase();
    const value = Object.hasOwn(values, upper) ? values[upper] : undefined;
    if (value !== undefined) kept.push(`X-iisnode-${name}`, value);
  }
  return kept;
}

function text(value: number | undefined): string | undefined {
  return value === undefined ? undefined : String(value);
}

/** Adds iisnode-debug to the answers of a server, where that is asked for. */
export function markAnswers(server: Server): void {
  if (traits?.hasDebugHeader !== true) return;
  const { version, processes } = traits;
  server.prependListener('request', (_request, response: ServerResponse) => {
    const startedMs = performance.now();
    served += 1;
    active += 1;
    response.once('close', () => (active -= 1));
    const writeHead = response.writeHead as (...parts: unknown[]) => ServerResponse;
    response.writeHead = (...parts: unknown[]) => {
      if (!response.headersSent) response.setHeader('iisnode-debug', debugText(version, processes, startedMs));
      return writeHead.apply(response, parts);
    };
  });
}

/** In the order of the original. What has no meaning here is 0. */
function debugText(version: string, processes: string, startedMs: number): string {
  const kilobytes = String(Math.round(process.memoryUsage.rss() / 1024));
  const values: [string, string][] = [
    ['iisnode_ver', version], ['node', process.execPath], ['dns', hostname()],
    ['worker_pid', String(process.ppid)], ['node_pid', String(process.pid)],
    ['worker_mem_ws', '0'], ['worker_mem_pagefile', '0'], ['node_mem_ws', kilobytes], ['node_mem_pagefile', kilobytes],
    ['app_processes', processes], ['process_active_req', String(active)], ['app_active_req', String(active)],
    ['worker_total_req', String(served)], ['np_retry', '0'],
    ['req_time', String(Math.round(performance.now() - startedMs))], ['hresult', '0'],
  ];
  return `http://bit.ly/NsU2nd#${values.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&')}`;
}
