// A front in a process of its own, so that its memory can be told from that of the clients, and so that a crash of it
// is seen. It takes HTTP/2 with prior knowledge; a process behind it answers each request with its target.
// Started with `startFrontProcess`, which runs this very file.

import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { queryObjects } from 'node:v8';
import type { FrontLimits } from '../base/limits.ts';
import { withRawHttp2 } from './http2.test.support.ts';

/** What the front holds, behind a collection of garbage. */
export interface FrontLook {
  connections: number;
  requests: number;
  rssBytes: number;
  heapBytes: number;
  /** Held by the engine and by node outside its heap: sessions of nghttp2, buffers. */
  externalBytes: number;
  /** Objects, open or not: as many stay as something holds. */
  sockets: number;
}

/** One such process. */
export interface FrontProcess {
  port: number;
  /** Moves its clock on by `passMs`, 0 for not at all, and looks. */
  look(passMs: number): Promise<FrontLook>;
  /** Resolves with how it ended: a signal, or a code. */
  ended: Promise<string>;
  stop(): Promise<void>;
}

/** Starts one; rejects when it ends instead. */
export async function startFrontProcess(limits: Partial<FrontLimits> = {}): Promise<FrontProcess> {
  const child = fork(fileURLToPath(import.meta.url), [JSON.stringify(limits)], {
    execArgv: [...process.execArgv, '--expose-gc', '--no-warnings'],
    // The allocator's arenas are one for each thread otherwise, which says nothing about what is held.
    env: { ...process.env, MALLOC_ARENA_MAX: '1' },
  });
  const ended = once(child, 'exit').then(([code, signal]) => String(signal ?? code));
  const dead = ended.then((how) => Promise.reject<never>(new Error(`the front ended with ${how}`)));
  dead.catch(() => {});
  const heard = async <T>(): Promise<T> => {
    const [message] = (await Promise.race([once(child, 'message'), dead])) as [T];
    return message;
  };
  const port = await heard<number>();
  return {
    port,
    ended,
    look: (passMs) => {
      const answer = heard<FrontLook>();
      child.send(passMs, () => {});
      return answer;
    },
    stop: async () => {
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}

async function serve(limits: Partial<FrontLimits>): Promise<void> {
  const { gc } = globalThis;
  assert.ok(gc !== undefined, 'garbage is collected when asked for');
  await withRawHttp2(async ({ front, port, join, pass }) => {
    const app = await join();
    let requests = 0;
    app.onRequest = (channel, { target }) => {
      requests += 1;
      app.answer(channel, target);
      // What it hears of bodies and of channels given up is not the front's.
      app.frames.clear();
    };
    process.on('message', (passMs: number) => {
      if (passMs > 0) pass(passMs);
      gc();
      app.frames.clear();
      const { rss, heapUsed, external } = process.memoryUsage();
      const { connections } = front.report();
      const sockets = queryObjects(Socket, { format: 'count' });
      const found: FrontLook = {
        connections, requests, rssBytes: rss, heapBytes: heapUsed, externalBytes: external, sockets,
      };
      process.send!(found);
    });
    process.send!(port);
    await once(process, 'disconnect');
  }, limits);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await serve(JSON.parse(process.argv[2]!) as Partial<FrontLimits>);
}
