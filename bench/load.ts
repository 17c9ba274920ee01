// Load on a URL for some seconds: by wrk where it is installed, else by a process of our own.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { versionOf } from './contender.ts';

export interface LoadReport {
  /** Answered with 200. */
  requests: number;
  errors: number;
  seconds: number;
  p50Ms: number;
  p99Ms: number;
}

export interface LoadOptions {
  connections: number;
  seconds: number;
  /** Requests/s at fixed times; absent: as many as are answered. */
  rate?: number;
  /** A connection for each request. Only where wrk is installed. */
  closes?: boolean;
  /** The core that the load runs on, as taskset names it; absent: any. */
  core?: string;
}

const LOAD_MAIN = fileURLToPath(new URL(`./load-main${import.meta.url.slice(-3)}`, import.meta.url));

let wrk: string | undefined | null = null;

/** Version of wrk, undefined where it is missing. */
export function wrkVersion(): string | undefined {
  if (wrk === null) wrk = versionOf('wrk', ['-v'])?.replace(/ Copyright.*/, '');
  return wrk;
}

async function outputOf(command: string, args: readonly string[], core?: string): Promise<string> {
  const [first, words] = core === undefined ? [command, args] : ['taskset', ['-c', core, command, ...args]] as const;
  const child = spawn(first, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${command} ended with ${code}:\n${text}`);
  return text;
}

function milliseconds(text: string): number {
  const match = /^([\d.]+)(us|ms|s)$/.exec(text);
  const factor = { us: 0.001, ms: 1, s: 1000 }[match?.[2] ?? ''];
  return factor === undefined ? Number.NaN : Number(match![1]) * factor;
}

/** Reads what wrk printed. */
export function readWrk(text: string): LoadReport {
  const first = (pattern: RegExp): string | undefined => pattern.exec(text)?.[1];
  const answers = Number(first(/(\d+) requests in /) ?? Number.NaN);
  const bad = Number(first(/Non-2xx or 3xx responses: (\d+)/) ?? 0);
  const failures = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text);
  const lost = (failures ?? []).slice(1).reduce((sum, count) => sum + Number(count), 0);
  const rate = Number(first(/Requests\/sec:\s+([\d.]+)/) ?? Number.NaN);
  return {
    requests: answers - bad,
    errors: bad + lost,
    seconds: answers / rate,
    p50Ms: milliseconds(first(/^\s+50%\s+(\S+)/m) ?? ''),
    p99Ms: milliseconds(first(/^\s+99%\s+(\S+)/m) ?? ''),
  };
}

/** Loads `url`. @throws Error when a request failed: such figures would mean nothing. */
export async function load(url: string, options: LoadOptions): Promise<LoadReport> {
  const { connections, seconds, rate, closes, core } = options;
  let report: LoadReport;
  if (rate === undefined && wrkVersion() !== undefined) {
    const words = ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency', url];
    if (closes === true) words.push('-H', 'Connection: close');
    report = readWrk(await outputOf('wrk', words, core));
  } else {
    const words = [LOAD_MAIN, url, String(connections), String(seconds)];
    if (rate !== undefined) words.push(String(rate));
    report = JSON.parse(await outputOf(process.execPath, words, core)) as LoadReport;
  }
  if (report.errors > 0 || !(report.requests > 0)) {
    throw new Error(`${url}: ${report.errors} of ${report.requests + report.errors} requests failed`);
  }
  return report;
}
