// A session proxy process: serves <app>/debug/ of one debuggee over the link, like any app. It ends with
// its debuggee, with SIGTERM, or when no front was there for a while.

import '../client/register.ts';
import { createServer } from 'node:http';
import { delimiter } from 'node:path';
import { isLocalRequest } from '../client/client.ts';
import { systemClock } from '../base/clock.ts';
import { createLog } from '../base/log.ts';
import { messageOf } from '../base/host-error.ts';
import { assert } from '../base/assert.ts';
import { createSessionProxy } from '../debug/session-proxy.ts';
import { createUiFiles } from '../debug/ui-files.ts';
import { childrenFolder } from '../wire/debug-children.ts';
import type { HostToSession, SessionOptions, SessionToHost } from '../wire/session-messages.ts';

/** Viewers fetch what is left for them before the process ends. */
const FAREWELL_MS = 1500;
const CLOSING_MS = 100;

/** Below a process that was attached to live nothing was prepared. */
function childrenFolderOf(pid: number): string | undefined {
  const [linkSocket] = (process.env['SLIPSTREAM_FRONTS'] ?? '').split(delimiter);
  return linkSocket === undefined || linkSocket === '' ? undefined : childrenFolder(linkSocket, pid);
}

/** A host that is gone hears nothing; a new one finds the debuggee without it. */
function send(message: SessionToHost): void {
  if (process.connected) process.send?.(message, () => {});
}

async function main(): Promise<void> {
  const argument = process.argv[2];
  assert(argument !== undefined, 'the session proxy is started by the host');
  const options = JSON.parse(argument) as SessionOptions;
  process.title = `slipstream session ${options.app}`;
  process.stdout.on('error', () => process.stdout.destroy());
  const write = (line: string): void => void process.stdout.write(line);
  const log = createLog({ json: options.json, write }).with({ from: 'session', app: options.app });
  const proxy = createSessionProxy({
    ...options,
    uiFiles: createUiFiles(options.uiFolder),
    others: options.others.map(({ pid, port }) => ({ pid, inspector: { kind: 'port', port } })),
    isLocal: isLocalRequest,
    childrenFolder: options.isLive ? undefined : childrenFolderOf(options.pid),
    onReport: send,
    clock: systemClock,
    log,
  });
  process.on('SIGTERM', () => {
    proxy.close();
    // Held polls hear of it before the process is gone.
    setTimeout(() => process.exit(0), CLOSING_MS);
  });
  process.on('message', (message: HostToSession) => {
    if (message.kind === 'ping') send({ kind: 'pong' });
    else proxy.add({ pid: message.pid, inspector: { kind: 'port', port: message.port } });
  });
  // The host may go and come back; its channel must not keep this process alive.
  process.channel?.unref();
  // A terminal sends this to all; the host says when.
  process.on('SIGINT', () => {});
  void proxy.ended.then((reason) => {
    log.info('session-ended', { reason });
    setTimeout(() => process.exit(0), FAREWELL_MS);
  });
  await proxy.ready;
  const server = createServer((request, response) => proxy.handle(request, response));
  server.on('upgrade', (request, socket, head) => proxy.upgrade(request, socket, head));
  server.listen(0);
}

main().catch((error: unknown) => {
  process.stderr.write(`slipstream session: ${messageOf(error)}\n`);
  process.exit(1);
});
