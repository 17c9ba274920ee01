// The host process: the supervisor joined with the debugger, and the signals that stop it.

import { fileURLToPath } from 'node:url';
import { systemClock } from '../base/clock.ts';
import { keepMemoryOutOfCores } from '../base/core-files.ts';
import { createLog, type Log } from '../base/log.ts';
import { messageOf } from '../base/host-error.ts';
import { createAppDebugger } from '../debug/debug.ts';
import { startHost, type Host, type HostOptions, type HostParts } from '../host/host.ts';
import { parseUrlPrefix, prefixText } from '../http/http.ts';
import type { HostConfig } from '../host/host-config.ts';
import { packageVersion } from './package-version.ts';
import { ServiceNotify } from './service-notify.ts';

export { findConfigFile } from '../host/config-tools.ts';
export { defaultConfig, readConfigFile } from '../host/host-config.ts';

/** This file is <package>/dist/src/process/host-main.js. */
const PACKAGE = new URL('../../../', import.meta.url);

function hostParts(): HostParts {
  return {
    frontMainPath: fileURLToPath(new URL('dist/src/process/front-main.js', PACKAGE)),
    siteMainPath: fileURLToPath(new URL('dist/src/process/site-main.js', PACKAGE)),
    sessionMainPath: fileURLToPath(new URL('dist/src/process/session-main.js', PACKAGE)),
    registerPath: fileURLToPath(new URL('dist/register.cjs', PACKAGE)),
    uiFolder: fileURLToPath(new URL('dist/devtools', PACKAGE)),
    version: packageVersion(),
    parsePrefix(text) {
      const prefix = parseUrlPrefix(text);
      return { ...prefix, text: prefixText(prefix) };
    },
    createDebugger: (options) => createAppDebugger(options),
  };
}

/** Most bytes of log lines that wait for whoever reads them. */
const OUTPUT_BYTES_MAX = 4_194_304;

export interface RunOptions {
  root: string;
  config: HostConfig;
  /** See {@link HostOptions.listenOf}. */
  listenOf?: HostOptions['listenOf'];
  /** The file that `config` was read from, if it was named. */
  configFile?: string | undefined;
  /** See {@link HostOptions.tlsHome}. */
  tlsHome?: string;
  json: boolean;
  /** No process has joined for a while. */
  onJoinedIdle?: () => void;
}

/**
 * Runs a host until a signal stops it; the process ends then.
 * @throws HostError what {@link startHost} throws.
 */
export async function runHost(options: RunOptions): Promise<void> {
  const { json, ...rest } = options;
  process.title = 'slipstream host';
  keepMemoryOutOfCores();
  // Whoever read our output may leave before we do.
  process.stdout.on('error', () => process.stdout.destroy());
  const log = createLog({ json, write: boundedOutput(process.stdout) });
  const parts = hostParts();
  const host = await startHost({ ...rest, json, log, clock: systemClock, parts });
  const service = new ServiceNotify({ environment: process.env, pid: process.pid, clock: systemClock, log });
  stopOnSignals(host, log, service);
  if (json) log.info('ready', { urls: host.urls.join(' ') });
  process.stdout.write(`slipstream ready on ${host.urls.join(' ')}\n`);
  service.ready();
}

/** Lines to a stream that may stop reading: what it cannot take is dropped, and the gap is named. */
function boundedOutput(stream: NodeJS.WriteStream): (line: string) => void {
  let dropped = 0;
  return (line) => {
    if (stream.writableLength > OUTPUT_BYTES_MAX) {
      dropped += 1;
      return;
    }
    if (dropped > 0) stream.write(`slipstream: ${dropped} lines were dropped, nobody read them\n`);
    dropped = 0;
    stream.write(line);
  };
}

function stopOnSignals(host: Host, log: Log, service: ServiceNotify): void {
  // Whatever way this process ends short of SIGKILL, nothing that it started stays.
  process.on('exit', () => host.stopNow());
  let signals = 0;
  const stop = (signal: NodeJS.Signals): void => {
    signals += 1;
    if (signals > 1) {
      log.warn('stopping-now', { signal });
      process.exit(1);
    }
    log.info('stopping', { signal });
    service.stopping();
    host.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error('stop-failed', { reason: messageOf(error) });
        process.exit(1);
      },
    );
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  process.on('SIGHUP', stop);
}
