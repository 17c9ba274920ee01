// The site process: decides what becomes of requests to folders with a web.config, and serves their files. The
// host tells it the folders over IPC; requests come over the link, as to any app. It ends with its host.

import '../client/register.ts';
import { createServer } from 'node:http';
import { giveVerdict } from '../client/answer-meta.ts';
import { isLocalRequest } from '../client/client.ts';
import { systemClock } from '../base/clock.ts';
import { messageOf } from '../base/host-error.ts';
import { createLog } from '../base/log.ts';
import { Sites } from '../site/site.ts';
import type { Failure } from '../wire/front-messages.ts';
import type { HostToSites, SitesToHost } from '../wire/site-messages.ts';

/** How long a request waits for the host to look at the files again. */
const STALE_WAIT_MS = 2000;
/** The front answers what is under way for a second when the host is gone. */
const ORPHAN_MS = 1500;

process.title = 'slipstream site';
process.stdout.on('error', () => process.stdout.destroy());
const write = (line: string): void => void process.stdout.write(line);
const log = createLog({ json: process.argv.includes('--json'), write }).with({ from: 'site' });

/** Requests that wait for the next word of the host. */
let waiting: (() => void)[] = [];

function send(message: SitesToHost): void {
  if (process.connected) process.send?.(message);
}

function stale(): Promise<void> {
  return new Promise((resolve) => {
    if (waiting.length === 0) send({ kind: 'stale' });
    const timer = systemClock.after(STALE_WAIT_MS, resolve);
    waiting.push(() => {
      timer.stop();
      resolve();
    });
  });
}

const sites = new Sites({ isLocal: isLocalRequest, stale });
const server = createServer((request, response) => {
  sites.handle(request, response).then(
    (verdict) => verdict !== undefined && giveVerdict(response, verdict),
    (error: unknown) => {
      log.error('site-failed', { url: request.url, reason: messageOf(error) });
      const message = 'The files of the folder could not be looked at.';
      const failure: Failure = { status: 500, code: 'UPSTREAM_LOST', message, developer: [] };
      if (response.headersSent) response.destroy();
      else giveVerdict(response, { kind: 'refuse', failure });
    },
  );
});

process.on('message', (message: HostToSites) => {
  if (message.kind === 'ping') {
    send({ kind: 'pong' });
    return;
  }
  sites.replace(message.sites);
  const resolves = waiting;
  waiting = [];
  for (const resolve of resolves) resolve();
  if (!server.listening) server.listen(0);
});
process.on('disconnect', () => setTimeout(() => process.exit(0), ORPHAN_MS));
// A terminal sends this to all; the host says when.
process.on('SIGINT', () => {});
