// What an app is and its settings. The table is the only source: checking a value, docs/settings.md and
// the types come from it. Nothing here looks at a disk.

import { availableParallelism } from 'node:os';
import { HostError } from '../base/host-error.ts';
import { defaultsOf, readSettings } from '../base/setting.ts';
import type { SettingsOf } from '../base/setting.ts';

/** The settings of an app, with their defaults. Times in ms. */
export const APP_SETTINGS = {
  entry: {
    type: 'string', default: '',
    text: 'The file that node runs, relative to the app; empty: what package.json says, or a file of a known name.',
  },
  args: {
    type: 'strings', default: [],
    text: 'Arguments for the program, behind those of its start script.',
  },
  processes: {
    type: 'integer', default: 1, min: 0, max: 256, unit: 'processes',
    text: 'How many processes serve the app; 0 is one per core. All are started at its first request.',
  },
  start: {
    type: 'choice', default: 'on-demand', choices: ['on-demand', 'always'],
    text: 'Whether the first request starts the processes, or the host does when it starts.',
  },
  balance: {
    type: 'choice', default: 'round-robin', choices: ['round-robin', 'least-busy'],
    text: 'Which process gets a request: each in turn, or the one with the fewest. Full ones are passed over.',
  },
  concurrencyMax: {
    type: 'integer', default: 0, min: 0, max: 1_000_000, unit: 'requests',
    text:
      'Most requests that one process of the app has at a time, split evenly among `frontProcesses`, at least '
      + 'one each; 0 is `limits.concurrencyMax`. More wait.',
  },
  stickySessions: {
    type: 'boolean', default: false,
    text: 'Whether a signed cookie leads a client to the same process again, as long as that lives.',
  },
  startTimeoutMs: {
    type: 'integer', default: 25_000, min: 50, max: 3_600_000, unit: 'ms',
    text: 'Longest time from the start of a process until its server listens. Longer: ended, 500.',
  },
  gracefulShutdownTimeoutMs: {
    type: 'integer', default: 60_000, min: 0, max: 86_400_000, unit: 'ms',
    text: 'How long a replaced process may finish its requests. Then SIGTERM, and SIGKILL 5 s later.',
  },
  recycleOnChange: {
    type: 'boolean', default: true,
    text: 'Start new processes when a watched file changes; they take over when they listen.',
  },
  recycleMode: {
    type: 'choice', default: 'beside', choices: ['beside', 'replace', 'lazy'],
    text:
      'How new processes take over: `beside` the old ones, when they listen; `replace`, when the old ones are gone, '
      + 'for apps that cannot run twice, while requests wait; `lazy`, after a change at the next request, as iisnode.',
  },
  memoryMbMax: {
    type: 'integer', default: 0, min: 0, max: 1_048_576, unit: 'MiB',
    text: 'Resident memory of one process above which new processes take over; 0 is no limit.',
  },
  ageMaxMs: {
    type: 'integer', default: 0, min: 0, max: 31_536_000_000, unit: 'ms',
    text: 'Age of a process at which new processes take over; 0 is no limit.',
  },
  requestsMax: {
    type: 'integer', default: 0, min: 0, max: Number.MAX_SAFE_INTEGER, unit: 'requests',
    text: 'Requests of one process after which new processes take over; 0 is no limit.',
  },
  idleStopAfterMs: {
    type: 'integer', default: 0, min: 0, max: 31_536_000_000, unit: 'ms',
    text: 'How long no request may come before the processes are stopped; the next one starts them. 0 is never.',
  },
  recycleSignalEnabled: {
    type: 'boolean', default: false,
    text:
      'Whether the program is told IISNODE_CONTROL_PIPE: a socket on which it writes `recycle` to get new processes. ' +
      "`process.send({ type: 'recycle' })` always does that.",
  },
  watchedFiles: {
    type: 'strings',
    default: [
      '*.js', '*.mjs', '*.cjs', '*.jsx', '*.ts', '*.mts', '*.cts', '*.tsx', '*.json',
      '!data/', '!db/', '!log/', '!logs/', '!tmp/', '!temp/', '!cache/', '!uploads/', '!coverage/',
      '!data.json', '!db.json',
    ],
    text:
      'Which files make the app start anew. A pattern without "/" holds in every folder of the app, one ' +
      'that ends in "/" means a folder and all below it, "!" takes out what an earlier one took in. ' +
      'node_modules and folders whose name starts with a dot are never watched, but packages of a workspace are that ' +
      'the app depends on and that are linked there when it starts (at most 16), by the patterns without "/".',
  },
  watchBy: {
    type: 'choice', default: 'auto', choices: ['auto', 'events', 'polling'],
    text:
      'How changes are noticed: the system tells them (`events`), or the files are looked at again and again ' +
      '(`polling`), as `auto` does on network file systems, where changes made elsewhere are not told.',
  },
  watchPollingMs: {
    type: 'integer', default: 1000, unit: 'ms', min: 10, max: 3_600_000,
    text: 'How often watched files are looked at by `polling`.',
  },
  debuggingEnabled: {
    type: 'boolean', default: true,
    text: 'Whether the app has a debugger. When not, its URLs go to the app like all others.',
  },
  debuggerPathSegment: {
    type: 'string', default: 'debug',
    text: 'The URL segment below the app under which the debugger is found.',
  },
  debuggerScope: {
    type: 'choice', default: 'everyone', choices: ['everyone', 'mine'],
    text:
      'Whose requests go to a debuggee: those of everybody, or only those with the cookie that opening the debugger ' +
      'sets, while the processes of the app serve all others. `?everyone` and `?mine` choose per session.',
  },
  debuggerStart: {
    type: 'choice', default: 'restart', choices: ['restart', 'live'],
    text:
      'What opening the debugger does: start a debuggee in the place of the processes, or attach to those that run. ' +
      '`?restart` and `?live` choose per session.',
  },
  debuggerRetries: {
    type: 'integer', default: 100, min: 1, max: 10_000, unit: 'tries',
    text: 'How often the inspector of a debuggee is looked for, `debuggerRetryDelayMs` apart. Then a page says so.',
  },
  debuggerRetryDelayMs: {
    type: 'integer', default: 250, min: 1, max: 60_000, unit: 'ms',
    text: 'Longest pause between two such tries; the first ones follow each other sooner.',
  },
  env: {
    type: 'map', default: {},
    text: 'Environment variables of the app, over those of the host and of its start script.',
  },
  envFile: {
    type: 'string', default: '',
    text:
      'File with more variables, `NAME=value` a line, relative to the app, such as `.env`. It is read by the process ' +
      'itself; `env` and the start script are stronger. A change of it counts like one of `watchedFiles`.',
  },
  user: {
    type: 'string', default: '',
    text:
      'Name or number of the user that the processes run as; only with a host of root, and not in the folder of an ' +
      'app. Its logs are always in SLIPSTREAM_HOME. A user that no app had before holds after a restart.',
  },
  group: {
    type: 'string', default: '',
    text: 'Name or number of the group that the processes have; empty is that of `user`. Same rules.',
  },
  umask: {
    type: 'string', default: '',
    text: 'Rights that files of the processes do not get, octal: `"027"`. Empty is as the host has it. Not on Windows.',
  },
  nice: {
    type: 'integer', default: 0, min: 0, max: 19, unit: 'steps',
    text: 'How much the processes stand back behind others for the processor. Not on Windows.',
  },
  memoryLimitMb: {
    type: 'integer', default: 0, min: 0, max: 1_048_576, unit: 'MiB',
    text:
      'Memory of all processes of the app together, kept by the kernel (cgroup v2): one that needs more is killed. 0 '
      + 'is no limit. To get new processes before that there is `memoryMbMax`.',
  },
  cpuLimitPercent: {
    type: 'integer', default: 0, min: 0, max: 102_400, unit: '%',
    text: 'Processor time of all processes of the app together, kept by the kernel; 100 is one core, 0 is no limit.',
  },
  limitsRequired: {
    type: 'boolean', default: false,
    text:
      'What holds where the kernel cannot keep `memoryLimitMb` and `cpuLimitPercent`: the app runs without them and '
      + 'the log says so once, or with `true` it does not start.',
  },
  loggingEnabled: {
    type: 'boolean', default: true,
    text: 'Whether what the processes print is kept in files, one a process and stream.',
  },
  logDirectory: {
    type: 'string', default: '',
    text: 'Folder of the log files, relative to the app; empty is `logs/<app>` in SLIPSTREAM_HOME.',
  },
  logPage: {
    type: 'choice', default: 'local', choices: ['local', 'everyone', 'off'],
    text:
      'Who sees the page with the logs, at `<app>/debug/logs/` and at the URL of `logDirectory` where that is in the ' +
      'folder of the app: clients at this machine and who signed in (`slipstream logs <app> --link`), everyone as ' +
      'with iisnode, nobody.',
  },
  logFormat: {
    type: 'choice', default: 'text', choices: ['text', 'crlf', 'time', 'json'],
    text: 'Lines as printed, the same with CR LF, each after its time, or as JSON objects.',
  },
  logFileBytesMax: {
    type: 'integer', default: 1_048_576, min: 1024, max: 1_073_741_824, unit: 'bytes',
    text: 'Size at which a log file is closed and another one begins.',
  },
  logTotalBytesMax: {
    type: 'integer', default: 16_777_216, min: 1024, max: 1_099_511_627_776, unit: 'bytes',
    text: 'Size of all log files of the app together. More: the oldest are removed, nothing else ever is.',
  },
  logFilesMax: {
    type: 'integer', default: 20, min: 1, max: 10_000, unit: 'files',
    text: 'Number of log files of the app. More: the oldest are removed.',
  },
  cache: {
    type: 'choice', default: 'one-line', choices: ['off', 'one-line', 'standard'],
    text:
      'Which answers the front keeps: none; `one-line`, those with a `res.cacheDuration`, once ' +
      'SLIPSTREAM_CACHE_DURATION is set; `standard`, those whose fields allow it (RFC 9111).',
  },
  cacheObjectBytesMax: {
    type: 'integer', default: 0, min: 0, max: 1_073_741_824, unit: 'bytes',
    text: 'Largest body that is kept; 0 is 1 MiB in mode one-line and 8 MiB in mode standard.',
  },
  cacheCollapsing: {
    type: 'choice', default: 'auto', choices: ['auto', 'on', 'off'],
    text: 'Whether simultaneous misses for one URL become one request; `auto`: in mode standard.',
  },
  cacheHeuristics: {
    type: 'boolean', default: false,
    text: 'Mode standard: guess how long an answer is fresh from its Last-Modified where it says nothing.',
  },
  cacheSetCookie: {
    type: 'boolean', default: false,
    text: 'Whether answers with Set-Cookie are kept, as RFC 9111 allows: everybody gets the same cookie.',
  },
  cacheStatus: {
    type: 'boolean', default: false,
    text: 'Whether answers tell with Cache-Status (RFC 9211) what the cache did.',
  },
  nodePath: {
    type: 'string', default: '',
    text: 'The node that runs the app, or a program that takes its flags: an absolute path. Empty: that of the host.',
  },
  nodeArgs: {
    type: 'strings', default: [],
    text: 'Flags for node. --inspect and --watch are left out: the host does what they do.',
  },
  errorPages: {
    type: 'choice', default: 'honest', choices: ['honest', 'iisnode-local', 'iisnode', 'bare'],
    text:
      'What failures of the app look like: `honest`, their status and a page; `iisnode`, the page of iisnode with ' +
      'status 200 and the end of stderr, to everybody, or with `iisnode-local` to people at this machine; `bare`, ' +
      'the status of iisnode without a body.',
  },
  serverVariables: {
    type: 'strings', default: [],
    text:
      'Folders of iisnode: server variables that become request fields `X-iisnode-<NAME>`. Fields of that kind ' +
      'from clients are removed.',
  },
  forwardedForLocal: {
    type: 'boolean', default: false,
    text:
      'Folders of iisnode: whether requests of clients at this machine have X-Forwarded-For and -Proto too, as all '
      + 'others have.',
  },
  debugHeader: {
    type: 'boolean', default: false,
    text: 'Folders of iisnode: whether answers have the field `iisnode-debug`.',
  },
} as const;

/** Settings that say with which rights an app runs: never its own folder's business. */
export const HOST_ONLY_SETTINGS = ['user', 'group'] as const;

export type AppSettings = SettingsOf<typeof APP_SETTINGS>;

/** The settings of all apps: one set of defaults, and what single apps have otherwise. */
export interface AppSettingsSource {
  readonly defaults: AppSettings;
  /** By the path of the app, such as "/shop/". */
  readonly overrides: Readonly<Record<string, Partial<AppSettings>>>;
  /** What the files in a folder say; undefined when there are none. Asked at each look at the folder. */
  readonly ofFolder?: (folder: string, path: string) => FolderSettings | undefined;
}

/** What the configuration files in an app's folder say. */
export interface FolderSettings {
  /** Checked. */
  readonly settings: Partial<AppSettings>;
  /** The file to run, relative to the folder; a package.json has no say then. */
  readonly entry?: string;
  /**
   * The folder runs these and `entry`, and nothing else: each is an app of its own at `<folder>/<entry>/`. Absent:
   * what the folder runs is found.
   */
  readonly scripts?: readonly { readonly entry: string; readonly settings: Partial<AppSettings> }[];
}

/** What a folder configures. */
export interface App {
  /** "/shop/" is "shop", "/a/b/" is "a/b"; a root app has the name of the root folder. */
  readonly name: string;
  /** Percent-encoded, with a slash at both ends: "/shop/". */
  readonly path: string;
  /** Absolute. */
  readonly folder: string;
  /** The file that node runs, relative to the folder, with "/": "server.js". */
  readonly entry: string;
  /** "app:/shop/". */
  readonly group: string;
  /** Of one of several scripts of a folder: the path of that folder, "/shop/". Its own is then "/shop/job.js/". */
  readonly folderPath?: string;
  readonly settings: AppSettings;
  /** Flags for node, from the start script. */
  readonly nodeFlags: readonly string[];
  /** Arguments for the program, from the start script. */
  readonly args: readonly string[];
  /** Variables that the start script sets. */
  readonly scriptEnv: Readonly<Record<string, string>>;
  /** The start script runs the file with tsx or ts-node. */
  readonly usesTsx?: true;
  /** Why it cannot be started as its folder is now; undefined when nothing is known against it. */
  readonly problem: string | undefined;
}

/** The group of a debuggee beside the processes of an app. */
export function asideGroup(appPath: string): string {
  return `aside:${appPath}`;
}

function check(values: Partial<AppSettings>, where: string): void {
  const segment = values.debuggerPathSegment;
  if (segment !== undefined && !/^(?!\.{1,2}$)[A-Za-z0-9._~-]{1,128}$/.test(segment)) {
    throw new HostError(
      'CONFIG_INVALID',
      `${where}: "debuggerPathSegment" is ${JSON.stringify(segment)}, expected one URL segment of ` +
        'letters, digits and - . _ ~',
    );
  }
  if (values.umask !== undefined && !/^[0-7]{0,4}$/.test(values.umask)) {
    const shown = JSON.stringify(values.umask);
    throw new HostError('CONFIG_INVALID', `${where}: "umask" is ${shown}, expected an octal number such as "027"`);
  }
  for (const [name, value] of Object.entries(values.env ?? {})) {
    if (name === '' || /[=\0]/.test(name) || value.includes('\0')) {
      const shown = JSON.stringify(name);
      throw new HostError('CONFIG_INVALID', `${where}: "env" has ${shown}, which no process can be given`);
    }
  }
}

/**
 * Checks settings and fills in defaults. `where` names the source in errors.
 * @throws HostError CONFIG_INVALID
 */
export function readAppSettings(values: Readonly<Record<string, unknown>>, where: string): AppSettings {
  const settings = readSettings(APP_SETTINGS, values, where);
  check(settings, where);
  return settings;
}

/**
 * Checks the settings that one app has otherwise: only what is named is in the result.
 * @throws HostError CONFIG_INVALID
 */
export function readAppOverrides(
  values: Readonly<Record<string, unknown>>,
  where: string,
): Partial<AppSettings> {
  const all = readAppSettings(values, where);
  const named = Object.entries(all).filter(([name]) => Object.hasOwn(values, name));
  return Object.fromEntries(named) as Partial<AppSettings>;
}

/** All apps with the defaults of the table. */
export const DEFAULT_APP_SETTINGS: AppSettingsSource = {
  defaults: defaultsOf(APP_SETTINGS),
  overrides: {},
};

/**
 * The settings of the app at `path`: the defaults, over them those of its folder, over them the overrides.
 * Variables are added up.
 */
export function settingsAt(source: AppSettingsSource, path: string, folder?: FolderSettings): AppSettings {
  const own = Object.hasOwn(source.overrides, path) ? source.overrides[path]! : {};
  return {
    ...source.defaults,
    ...folder?.settings,
    ...own,
    env: { ...source.defaults.env, ...folder?.settings.env, ...own.env },
  };
}

/** How many processes the setting means on this machine. */
export function processCount(settings: AppSettings): number {
  return settings.processes === 0 ? availableParallelism() : settings.processes;
}
