// Is an inspector there? Asks until it is; over a port by http://127.0.0.1:<port>/json/version, which takes no
// session. The first tries follow each other quickly, so that a quick start is a quick page.

import { get } from 'node:http';
import type { Clock } from '../base/clock.ts';

const ASK_TIMEOUT_MS = 1000;
const FIRST_DELAY_MS = 10;
const BODY_BYTES_MAX = 1_048_576;

/** GET of one of the inspector's own pages; the parsed JSON, or null when there is no good answer. */
export function askInspector(port: number, path: string): Promise<unknown> {
  return new Promise((resolve) => {
    const fail = (): void => resolve(null);
    const options = { host: '127.0.0.1', port, path, agent: false, timeout: ASK_TIMEOUT_MS };
    const request = get(options, (response) => {
      const parts: Buffer[] = [];
      let size = 0;
      response.on('data', (part: Buffer) => {
        size += part.length;
        if (size > BODY_BYTES_MAX) request.destroy();
        else parts.push(part);
      });
      response.on('error', fail);
      response.on('close', fail);
      response.on('end', () => resolve(parseAnswer(response.statusCode, Buffer.concat(parts).toString())));
    });
    request.on('timeout', () => request.destroy());
    request.on('error', fail);
    request.on('close', fail);
  });
}

function parseAnswer(status: number | undefined, text: string): unknown {
  if (status !== 200) return null;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // Something else than an inspector holds the port.
    return null;
  }
}

/**
 * Asks until the inspector is there. False after `retries` tries, `delayMs` apart, or when `isGivenUp`.
 */
export async function waitForInspector(options: {
  isThere(): Promise<boolean>;
  retries: number;
  delayMs: number;
  clock: Clock;
  isGivenUp(): boolean;
}): Promise<boolean> {
  const { isThere, retries, delayMs, clock, isGivenUp } = options;
  for (let tries = 0; tries < retries; tries++) {
    if (isGivenUp()) return false;
    if (await isThere()) return true;
    const pauseMs = Math.min(delayMs, FIRST_DELAY_MS * 2 ** Math.min(tries, 16));
    await new Promise<void>((resolve) => void clock.after(pauseMs, resolve));
  }
  return false;
}
