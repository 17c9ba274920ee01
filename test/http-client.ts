// A small HTTP client for tests: node's own, one connection a request unless an agent says otherwise, so
// that a test sees what a client on the wire sees.

import { once } from 'node:events';
import { request, type Agent, type IncomingHttpHeaders } from 'node:http';

export interface Got {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

export interface GetOptions {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  agent?: Agent;
  signal?: AbortSignal;
}

/** Sends a request and reads the whole answer. Rejects when the connection breaks. */
export async function get(url: string, options: GetOptions = {}): Promise<Got> {
  const { method = 'GET', headers = {}, body, agent, signal } = options;
  const sent = request(url, { method, headers, agent: agent ?? false, ...(signal && { signal }) });
  // Once the answer began, its reader hears of a broken connection.
  sent.on('error', () => {});
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [import('node:http').IncomingMessage];
  response.setEncoding('utf8');
  let text = '';
  for await (const chunk of response) text += chunk as string;
  return { status: response.statusCode ?? 0, headers: response.headers, text };
}

/** Asks `probe` until it gives something, every 20 ms, at most `withinMs`; then fails with `what`. */
export async function until<Result>(
  what: string,
  probe: () => Promise<Result | undefined> | Result | undefined,
  withinMs = 15_000,
): Promise<Result> {
  const endMs = performance.now() + withinMs;
  for (;;) {
    const result = await probe();
    if (result !== undefined) return result;
    if (performance.now() > endMs) throw new Error(`waited ${withinMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** True while a process with this pid exists and is no zombie. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
