// How the TypeScript of an app is run: node takes the types away, which is fastest and keeps every line where it is.
// What that cannot run (enums, decorators, names of files without an ending) is run by tsx from its first failure on.

import { runsTsx } from './app-command.ts';
import type { App } from './app-config.ts';
import type { AppProcess } from './app-process.ts';
import type { Log } from '../base/log.ts';
import { needsCompiler } from './start-failure.ts';

/** What node prints when a relative import is not there as it is written. */
const PATH_MISSING = /Cannot find (?:module|package) '(?:\.|\/|file:|[A-Za-z]:[\\/])/;

/** See the head of this file. */
export class TypeScriptWay {
  /** The entry that node could not run. */
  #compiled: string | undefined;
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  /** The app as it is to be started. */
  appOf(app: App): App {
    return this.#compiled === app.entry ? { ...app, usesTsx: true } : app;
  }

  /** The process ended at its start. True when it should be started again, by tsx. */
  learnsFrom({ command, stderrTail }: Pick<AppProcess, 'command' | 'stderrTail'>, app: App): boolean {
    if (runsTsx(command)) return false;
    const isMissing = /\.[cm]?tsx?$/.test(app.entry) && PATH_MISSING.test(stderrTail);
    if (!isMissing && !needsCompiler(stderrTail)) return false;
    this.#compiled = app.entry;
    const hint = 'node alone cannot run its TypeScript';
    this.#log.info('app-compiled', { app: app.name, entry: app.entry, by: 'tsx', hint });
    return true;
  }
}
