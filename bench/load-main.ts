// A process that loads a URL and prints what it saw as one JSON line.
//   node load-main.js URL CONNECTIONS SECONDS [RATE]
// Without RATE each connection sends as soon as it was answered. With RATE (requests/s) requests fall due
// once a millisecond, and latency counts from then on: a server that stalls cannot hide its queue.

import { LoadClient } from './load-client.ts';
import { quantile } from './measure.ts';
import type { LoadReport } from './load.ts';

const LATENCIES_MAX = 1_000_000;

function loadClosed(url: URL, connections: number, seconds: number): void {
  const latencies: number[] = [];
  let requests = 0;
  let errors = 0;
  const startMs = performance.now();
  const clients = Array.from({ length: connections }, () => {
    let sentMs = performance.now();
    const client = new LoadClient({
      url,
      onAnswer: (status) => {
        const nowMs = performance.now();
        if (status === 200) requests += 1;
        else errors += 1;
        if (latencies.length < LATENCIES_MAX) latencies.push(nowMs - sentMs);
        sentMs = nowMs;
        client.send();
      },
      onError: () => (errors += 1),
    });
    client.send();
    return client;
  });
  setTimeout(() => {
    for (const client of clients) client.close();
    finish({ requests, errors, startMs, latencies });
  }, seconds * 1000);
}

function loadOpen(url: URL, connections: number, seconds: number, rate: number): void {
  const latencies: number[] = [];
  const idle: LoadClient[] = [];
  const due: number[] = [];
  let requests = 0;
  let errors = 0;
  const startMs = performance.now();
  const sendNext = (): void => {
    const client = due.length > 0 ? idle.pop() : undefined;
    if (client === undefined) return;
    dueOf.set(client, due.shift()!);
    client.send();
  };
  const dueOf = new Map<LoadClient, number>();
  const clients = Array.from({ length: connections }, () => {
    const client: LoadClient = new LoadClient({
      url,
      onAnswer: (status) => {
        if (status === 200) requests += 1;
        else errors += 1;
        if (latencies.length < LATENCIES_MAX) latencies.push(performance.now() - dueOf.get(client)!);
        idle.push(client);
        sendNext();
      },
      onError: () => (errors += 1),
    });
    idle.push(client);
    return client;
  });
  let lastTick = 0;
  const timer = setInterval(() => {
    const tick = Math.floor(performance.now() - startMs);
    for (; lastTick < tick; lastTick++) {
      const before = Math.floor((lastTick * rate) / 1000);
      const after = Math.floor(((lastTick + 1) * rate) / 1000);
      for (let count = before; count < after; count++) due.push(startMs + lastTick + 1);
    }
    for (let count = Math.min(due.length, idle.length); count > 0; count--) sendNext();
    if (tick < seconds * 1000) return;
    clearInterval(timer);
    for (const client of clients) client.close();
    finish({ requests, errors, startMs, latencies });
  }, 1);
}

function finish(run: { requests: number; errors: number; startMs: number; latencies: number[] }): void {
  const report: LoadReport = {
    requests: run.requests,
    errors: run.errors,
    seconds: (performance.now() - run.startMs) / 1000,
    p50Ms: quantile(run.latencies, 0.5),
    p99Ms: quantile(run.latencies, 0.99),
  };
  console.log(JSON.stringify(report));
}

const [address, connections, seconds, rate] = process.argv.slice(2);
const target = new URL(address!);
if (rate === undefined) loadClosed(target, Number(connections), Number(seconds));
else loadOpen(target, Number(connections), Number(seconds), Number(rate));
