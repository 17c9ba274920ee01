// Every setting of iisnode, and what it means here. The table is the only place that knows: reading values,
// mapping them and the report of `slipstream check` come from it.

import { existsSync } from 'node:fs';
import { basename, isAbsolute } from 'node:path';
import { parseWords } from './words.ts';

/** What a setting becomes: some of Slipstream's settings, or a reason why it is ignored. */
export type Meaning = { settings: Record<string, unknown>; text: string } | { ignored: string };

export interface IisnodeRow {
  type: 'string' | 'boolean' | 'uint';
  /** `%NAME%` is replaced by a variable of the host. */
  isExpanded?: boolean;
  /** Called with the value as it holds in the end. */
  meaning(value: string | number | boolean): Meaning;
}

const MEGABYTES_MAX = 1024;

function ignored(reason: string): (value: string | number | boolean) => Meaning {
  return () => ({ ignored: reason });
}

function as(name: string, unit: (value: number) => number = (value) => value) {
  return (value: string | number | boolean): Meaning => ({
    settings: { [name]: typeof value === 'number' ? unit(value) : value },
    text: name,
  });
}

function within(min: number, max: number): (value: number) => number {
  return (value) => Math.min(max, Math.max(min, value));
}

/** `sub\*.js;iisnode.yml`: relative to the app, not recursive. */
function watchedFiles(value: string | number | boolean): Meaning {
  const entries = String(value).split(';').map((entry) => entry.trim()).filter((entry) => entry !== '');
  const patterns = entries.map((entry) => `/${entry.replaceAll('\\', '/').replace(/^\.?\/+/, '')}`);
  return { settings: { watchedFiles: patterns }, text: 'watchedFiles' };
}

function serverVariables(value: string | number | boolean): Meaning {
  const names = String(value).split(',').map((name) => name.trim()).filter((name) => name !== '');
  return { settings: { serverVariables: names }, text: 'serverVariables' };
}

function commandLine(value: string | number | boolean): Meaning {
  const [program = '', ...flags] = parseWords(String(value));
  // A path of this machine is meant; one of Windows, or a bare name, only says that it is node.
  if (isAbsolute(program) && existsSync(program)) {
    return { settings: { nodePath: program, nodeArgs: flags }, text: 'nodePath, nodeArgs' };
  }
  if (!/^node(?:js)?(?:\.exe)?$/i.test(basename(program.replaceAll('\\', '/')))) {
    return { ignored: `"${program}" is not node; apps run with the node that runs the host` };
  }
  return { settings: { nodeArgs: flags }, text: flags.length === 0 ? 'the node of the host' : 'nodeArgs' };
}

function nodeEnv(value: string | number | boolean): Meaning {
  const text = String(value);
  if (text === '' || text.toLowerCase() === '%node_env%') return { ignored: 'the app inherits NODE_ENV' };
  return { settings: { env: { NODE_ENV: text } }, text: 'env.NODE_ENV' };
}

function logDirectory(value: string | number | boolean): Meaning {
  const settings = { logDirectory: String(value).replaceAll('\\', '/') };
  return { settings, text: 'logDirectory' };
}

const kilobytes = (name: string): IisnodeRow => ({
  type: 'uint',
  meaning: as(name, (value) => within(1, MEGABYTES_MAX * 1024)(value) * 1024),
});

const UINT_IGNORED = 'there is no named pipe between host and app';

/** By name, in lower case. */
export const IISNODE_SETTINGS: Readonly<Record<string, IisnodeRow>> = {
  node_env: { type: 'string', isExpanded: true, meaning: nodeEnv },
  asynccompletionthreadcount: { type: 'uint', meaning: ignored('the host has no thread pool of its own') },
  nodeprocesscountperapplication: { type: 'uint', meaning: as('processes', within(0, 256)) },
  nodeprocesscommandline: { type: 'string', isExpanded: true, meaning: commandLine },
  interceptor: { type: 'string', isExpanded: true, meaning: ignored('the app is run directly') },
  maxconcurrentrequestsperprocess: { type: 'uint', meaning: as('concurrencyMax', within(0, 1_000_000)) },
  // These two are a start time together too: see compat.ts.
  maxnamedpipeconnectionretry: { type: 'uint', meaning: as('debuggerRetries', within(1, 10_000)) },
  namedpipeconnectionretrydelay: { type: 'uint', meaning: as('debuggerRetryDelayMs', within(1, 60_000)) },
  maxnamedpipeconnectionpoolsize: { type: 'uint', meaning: ignored(UINT_IGNORED) },
  maxnamedpipepooledconnectionage: { type: 'uint', meaning: ignored(UINT_IGNORED) },
  initialrequestbuffersize: { type: 'uint', meaning: ignored('everything streams') },
  maxrequestbuffersize: { type: 'uint', meaning: ignored('see headBytesMax in limits of the host') },
  uncfilechangespollinginterval: { type: 'uint', meaning: as('watchPollingMs', within(10, 3_600_000)) },
  gracefulshutdowntimeout: { type: 'uint', meaning: as('gracefulShutdownTimeoutMs', within(0, 86_400_000)) },
  logdirectory: { type: 'string', isExpanded: true, meaning: logDirectory },
  debuggingenabled: { type: 'boolean', meaning: as('debuggingEnabled') },
  debuggerextensiondll: { type: 'string', meaning: ignored('the debugger is DevTools') },
  debugheaderenabled: { type: 'boolean', meaning: as('debugHeader') },
  debuggervirtualdir: { type: 'string', meaning: ignored('no debugger file is unpacked') },
  debuggerpathsegment: { type: 'string', isExpanded: true, meaning: as('debuggerPathSegment') },
  debuggerportrange: {
    type: 'string', isExpanded: true, meaning: ignored('debuggerPortRange is a setting of the host'),
  },
  maxlogfilesizeinkb: kilobytes('logFileBytesMax'),
  maxtotallogfilesizeinkb: kilobytes('logTotalBytesMax'),
  maxlogfiles: { type: 'uint', meaning: as('logFilesMax', within(1, 10_000)) },
  loggingenabled: { type: 'boolean', meaning: as('loggingEnabled') },
  deverrorsenabled: {
    type: 'boolean',
    meaning: (value) => ({ settings: { errorPages: value === true ? 'iisnode' : 'bare' }, text: 'errorPages' }),
  },
  flushresponse: { type: 'boolean', meaning: ignored('everything streams') },
  watchedfiles: { type: 'string', isExpanded: true, meaning: watchedFiles },
  enablexff: { type: 'boolean', meaning: as('forwardedForLocal') },
  promoteservervars: { type: 'string', meaning: serverVariables },
  configoverrides: { type: 'string', isExpanded: true, meaning: ignored('the name of the file that was read') },
  recyclesignalenabled: { type: 'boolean', meaning: as('recycleSignalEnabled') },
  idlepageouttimeperiod: { type: 'uint', meaning: ignored('nothing is paged out; see idleStopAfterMs') },
  nodeprocessstickysessions: { type: 'boolean', meaning: as('stickySessions') },
};

/** Other spellings. */
export const IISNODE_ALIASES: Readonly<Record<string, string>> = { debugportrange: 'debuggerportrange' };

/** What holds in a folder of iisnode's where its files say nothing. */
export const IISNODE_DEFAULTS: Readonly<Record<string, unknown>> = {
  // By this variable programs know where they are; the version is the last one of the original.
  env: { IISNODE_VERSION: '0.2.21' },
  errorPages: 'iisnode-local',
  concurrencyMax: 1024,
  startTimeoutMs: 25_000,
  logDirectory: 'iisnode',
  logFormat: 'crlf',
  logFileBytesMax: 131_072,
  logTotalBytesMax: 1_048_576,
  logFilesMax: 20,
  watchedFiles: ['/*.js', '/iisnode.yml'],
  watchPollingMs: 5000,
};
