// The host that a program started because it found none (client/background-host.ts). It serves what joins and
// nothing else, and ends when nobody has a place for `joinedIdleTimeoutMs`. One for each home.

import { closeSync, existsSync, mkdirSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { messageOf } from '../base/host-error.ts';
import { homeFolder, makePrivate, takeHostLock } from '../host/run-folder.ts';
import type { HostConfig } from '../host/host-config.ts';
import { defaultConfig, readConfigFile, runHost } from './host-main.ts';

const REPORT_DESCRIPTOR = 3;

/** A BackgroundReport of client/background-host.ts. */
function report(message: { kind: 'ready' | 'taken' } | { kind: 'failed'; message: string }): void {
  try {
    writeSync(REPORT_DESCRIPTOR, `${JSON.stringify(message)}\n`);
    closeSync(REPORT_DESCRIPTOR);
  } catch {
    // Whoever started this does not wait, or is gone.
  }
}

async function main(): Promise<void> {
  const home = homeFolder();
  makePrivate(home);
  const lock = takeHostLock(join(home, 'lock'), (pid) => !existsSync(join(home, `run-${pid}`)));
  if (lock === null) {
    report({ kind: 'taken' });
    return;
  }
  process.on('exit', () => lock.release());
  const root = join(home, 'root');
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const file = join(home, 'slipstream.yml');
  const config = existsSync(file) ? readConfigFile(file) : defaultConfig();
  const listenOf = ({ sources, host }: HostConfig): readonly string[] => ('listen' in sources ? host.listen : []);
  await runHost({
    root,
    config: { ...config, host: { ...config.host, listen: listenOf(config) } },
    listenOf,
    ...(existsSync(file) && { configFile: file }),
    // Where `slipstream tls` of the same user stores them.
    tlsHome: dirname(home),
    json: false,
    onJoinedIdle() {
      // Who comes now starts another one.
      lock.release();
      process.kill(process.pid, 'SIGTERM');
    },
  });
  report({ kind: 'ready' });
}

main().catch((error: unknown) => {
  process.stdout.write(`slipstream: ${messageOf(error)}\n`);
  report({ kind: 'failed', message: messageOf(error) });
  process.exit(1);
});
