// The command line and the environment of an app process. Pure but for what this node itself can do:
// reads no disk, starts nothing.

import { join, resolve } from 'node:path';
import { INSPECTOR_DOOR_VARIABLE, type InspectorAddress, type InspectorDoor } from '../wire/inspector-messages.ts';
import { NOT_FOR_OTHERS, userVariables, type AppUser } from './app-user.ts';
import { withoutHostFlags } from './start-script.ts';
import { STOP_DESCRIPTOR, STOP_VARIABLE, type StopBy } from '../wire/stop-message.ts';
import { ENV_FILE_VARIABLE, type EnvFile } from '../wire/env-file.ts';
import { processCount, type App } from './app-config.ts';

/** How long a regular process lives without any front. */
export const GRACE_MS = 2000;
/** How long a debuggee does by default: somebody may look at it. */
const DEBUGGEE_GRACE_MS = 30_000;

/** How a debuggee is started. */
export interface DebugOptions {
  /** Where the inspector is. */
  inspector: InspectorAddress;
  /** Stop before the first line of the program. */
  breakAtStart: boolean;
  /** The app keeps its processes; this one serves the group of {@link asideGroup}. */
  isAside?: boolean;
  /** Wait before that for an inspector session to let it go. */
  waits?: boolean;
}

export interface CommandOptions {
  app: App;
  /** SLIPSTREAM_FRONTS. */
  fronts: string;
  /** SLIPSTREAM_KEY. */
  key: string;
  /** PORT. */
  port: number;
  /** How long a debuggee lives without any front, in ms. */
  debuggeeGraceMs?: number | undefined;
  /** Absolute path of the preload. */
  registerPath: string;
  /** Where the app wishes new processes: SLIPSTREAM_WISH. */
  wishSocket?: string;
  /** How it is told to stop; default by a signal. */
  stopBy?: StopBy;
  /** Who runs it; default the user of the host. */
  user?: AppUser | undefined;
  /** The node to run; default this one. */
  nodePath?: string;
  /** Opens the inspector. */
  debug?: DebugOptions;
  /** The environment to build on; default that of this process. */
  inherited?: Readonly<Record<string, string | undefined>>;
}

export interface Command {
  file: string;
  args: string[];
  env: Record<string, string>;
}

/** Set for this process by whoever started it; wrong for any other. */
const NOT_INHERITED = new Set([
  'NODE_CHANNEL_FD', 'NODE_CHANNEL_SERIALIZATION_MODE', 'NODE_UNIQUE_ID', 'NODE_TEST_CONTEXT',
  'NODE_INSPECT_RESUME_ON_START', 'VSCODE_INSPECTOR_OPTIONS', 'WATCH_REPORT_DEPENDENCIES', 'PORT',
  'NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID',
]);
const OWN_PREFIX = 'SLIPSTREAM_';

/** NODE_OPTIONS without what opens an inspector or watches; undefined when nothing is left. */
export function inheritedNodeOptions(options: string): string | undefined {
  const flags = options.match(/(?:[^\s"]|"(?:[^"\\]|\\.)*")+/g) ?? [];
  const kept = withoutHostFlags(flags);
  return kept.length === 0 ? undefined : kept.join(' ');
}

/** Where the app wishes new processes; under iisnode's name for programs that were written for that. */
function wishVariables({ app, wishSocket }: CommandOptions): Record<string, string> {
  if (wishSocket === undefined) return {};
  const isNamed = app.settings.recycleSignalEnabled;
  return { SLIPSTREAM_WISH: wishSocket, ...(isNamed ? { IISNODE_CONTROL_PIPE: wishSocket } : {}) };
}

/** What stands in `env`, in the start script, or is the host's, the file does not change. */
function envFileVariable({ folder, scriptEnv, settings }: App): Record<string, string> {
  if (settings.envFile === '') return {};
  const kept = ['PORT', ...Object.keys(scriptEnv), ...Object.keys(settings.env)];
  const file: EnvFile = { path: resolve(folder, settings.envFile), kept };
  return { [ENV_FILE_VARIABLE]: JSON.stringify(file) };
}

/** The same process, with what a shell sets before it becomes the program. */
function withShell(command: Command, { umask, nice }: App['settings']): Command {
  if ((umask === '' && nice === 0) || process.platform === 'win32') return command;
  const before = umask === '' ? '' : `umask ${umask} && `;
  const niced = nice === 0 ? '' : `nice -n ${nice} `;
  const script = `${before}exec ${niced}"$0" "$@"`;
  return { ...command, file: '/bin/sh', args: ['-c', script, command.file, ...command.args] };
}

function environment(options: CommandOptions): Record<string, string> {
  const { app, debug, debuggeeGraceMs = DEBUGGEE_GRACE_MS } = options;
  const graceMs = debug === undefined ? GRACE_MS : debuggeeGraceMs;
  const { serverVariables: variables, debugHeader, forwardedForLocal } = app.settings;
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.inherited ?? process.env)) {
    if (value === undefined || NOT_INHERITED.has(name) || name.startsWith(OWN_PREFIX)) continue;
    if (options.user !== undefined && NOT_FOR_OTHERS.has(name)) continue;
    env[name] = value;
  }
  const nodeOptions = inheritedNodeOptions(env['NODE_OPTIONS'] ?? '');
  if (nodeOptions === undefined) delete env['NODE_OPTIONS'];
  else env['NODE_OPTIONS'] = nodeOptions;
  return {
    ...env,
    ...userVariables(options.user),
    PORT: String(options.port),
    ...app.scriptEnv,
    ...app.settings.env,
    // Last: a program that could set these would leave its place.
    SLIPSTREAM_FRONTS: options.fronts,
    SLIPSTREAM_KEY: options.key,
    SLIPSTREAM_GRACE_MS: String(graceMs),
    SLIPSTREAM_INSPECTED_GRACE_MS: String(debuggeeGraceMs),
    SLIPSTREAM_BASE_PATH: app.path.slice(0, -1),
    SLIPSTREAM_APP: app.name,
    ...(variables.length === 0 ? {} : { SLIPSTREAM_SERVER_VARIABLES: variables.join(',') }),
    ...(forwardedForLocal ? { SLIPSTREAM_ENABLE_XFF: '1' } : {}),
    ...(debugHeader ? { SLIPSTREAM_DEBUG_HEADER: String(processCount(app.settings)) } : {}),
    ...(options.stopBy === 'message' ? { [STOP_VARIABLE]: String(STOP_DESCRIPTOR) } : {}),
    ...inspectorDoor(options.debug),
    ...wishVariables(options),
    ...envFileVariable(app),
  };
}

/** True when this node runs TypeScript by itself. */
function stripsTypes(): boolean {
  return Boolean((process.features as { typescript?: string | false }).typescript);
}

/** The program that runs the app. */
function nodeOf({ app, nodePath = process.execPath }: CommandOptions): string {
  return app.settings.nodePath === '' ? nodePath : app.settings.nodePath;
}

/** Flags of whoever compiles TypeScript by himself. */
const LOADER = /(?:^|[/=])(?:tsx|ts-node|@swc-node|esbuild-register)(?:$|\/)/;

/** True when the command compiles TypeScript, or somebody does in it. */
export function runsTsx({ args }: Pick<Command, 'args'>): boolean {
  return args.some((word) => LOADER.test(word));
}

/** The flags that make node run the entry, when it does not do so by itself. */
function typescriptFlags(options: CommandOptions, flags: readonly string[]): string[] {
  const { app } = options;
  if (app.usesTsx === undefined && !/\.[cm]?tsx?$/.test(app.entry)) return [];
  // Another node may be older; tsx works with all.
  const isOther = nodeOf(options) !== process.execPath;
  if (!isOther && app.usesTsx === undefined && stripsTypes()) return [];
  if (flags.some((flag) => LOADER.test(flag))) return [];
  // From our own dependency: the app need not have it.
  return ['--import', import.meta.resolve('tsx')];
}

/** `node [inspector] [flags] --require preload [--import tsx] entry [arguments]`, and its environment. */
export function commandOf(options: CommandOptions): Command {
  const { app, debug } = options;
  const flags = [...withoutHostFlags(app.settings.nodeArgs), ...withoutHostFlags(app.nodeFlags)];
  const inspector =
    debug?.inspector.kind === 'port'
      ? [`--inspect${inspectSuffix(debug)}=127.0.0.1:${debug.inspector.port}`]
      : [];
  const command = {
    file: nodeOf(options),
    args: [
      ...inspector,
      ...flags,
      '--require',
      options.registerPath,
      ...typescriptFlags(options, flags),
      join(app.folder, app.entry),
      ...app.args,
      ...app.settings.args,
    ],
    env: environment(options),
  };
  return withShell(command, app.settings);
}

/** What opens an inspector that has no port. */
function inspectorDoor(debug: DebugOptions | undefined): Record<string, string> {
  if (debug?.inspector.kind !== 'thread') return {};
  const { breakAtStart, waits = false } = debug;
  const door: InspectorDoor = { path: debug.inspector.path, start: breakAtStart ? 'brk' : waits ? 'wait' : 'run' };
  return { [INSPECTOR_DOOR_VARIABLE]: JSON.stringify(door) };
}

function inspectSuffix({ breakAtStart, waits = false }: DebugOptions): string {
  if (breakAtStart) return '-brk';
  return waits ? '-wait' : '';
}

/** The command line for people. Holds nothing of the environment. */
export function describeCommand(command: Command): string {
  return [command.file, ...command.args]
    .map((word) => (/^[\w@%+=:,./\\-]+$/.test(word) ? word : JSON.stringify(word)))
    .join(' ');
}
