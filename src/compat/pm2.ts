// One app of a PM2 ecosystem file in Slipstream's settings.

import { dirname } from 'node:path';
import { HostError } from '../base/host-error.ts';
import { parseWords } from './words.ts';

/** What became of it. */
export interface Pm2Mapping {
  name: string;
  /** Folder of the app, relative to the file or absolute. */
  folder: string;
  settings: Record<string, unknown>;
  notes: string[];
}

const IGNORED: Readonly<Record<string, string>> = {
  cron_restart: 'there is no timetable; see ageMaxMs',
  max_restarts: 'an app is always tried again, later and later',
  min_uptime: 'an app that served for 2 s has worked',
  restart_delay: 'an app is tried again later and later',
  exp_backoff_restart_delay: 'an app is tried again later and later',
  autorestart: 'a request starts the app again',
  kill_timeout: 'SIGKILL follows SIGTERM after 5 s; before that requests may finish, see gracefulShutdownTimeoutMs',
  wait_ready: 'an app is ready when it listens',
  out_file: 'see logDirectory', error_file: 'see logDirectory', log_file: 'see logDirectory',
  merge_logs: 'a file belongs to one process', combine_logs: 'a file belongs to one process',
  log_date_format: 'see logFormat: time',
  user: 'see user and group, with a host of root', uid: 'see user and group, with a host of root',
  gid: 'see user and group, with a host of root',
  source_map_support: 'write nodeArgs: [--enable-source-maps]',
  increment_var: 'processes of an app have one environment',
};

function listOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.map(String);
  return typeof value === 'string' ? parseWords(value) : [];
}

/** "300M" -> 300. */
function megabytes(value: unknown): number | undefined {
  if (typeof value === 'number') return Math.max(1, Math.round(value / 1_048_576));
  const match = /^(\d+(?:\.\d+)?)\s*([KMG]?)B?$/i.exec(String(value).trim());
  if (match === null) return undefined;
  const factor = { k: 1 / 1024, m: 1, g: 1024, '': 1 / 1_048_576 }[match[2]!.toLowerCase()] ?? 1;
  return Math.max(1, Math.round(Number(match[1]) * factor));
}

function processesOf(value: unknown): number | undefined {
  if (value === 'max' || value === 0 || value === '0' || value === -1 || value === '-1') return 0;
  const count = Number(value);
  return Number.isInteger(count) && count > 0 ? Math.min(count, 256) : undefined;
}

/** Runs scripts of package.json. */
const RUNNER = /^(?:npm|yarn|pnpm)$/;

/** The app is run by its start script, as it is here without being asked. */
function isStartScript(script: string, args: readonly string[]): boolean {
  return RUNNER.test(script) && /^(?:run )?start$/.test(args.join(' '));
}

/** Maps one entry of `apps`. `file` is for messages. @throws HostError CONFIG_INVALID */
export function mapPm2App(app: Readonly<Record<string, unknown>>, file: string): Pm2Mapping {
  const { script, cwd, env, env_production: production } = app;
  if (typeof script !== 'string' || script === '') {
    throw new HostError('CONFIG_INVALID', `${file}: an app without "script"`);
  }
  const isPlain = typeof cwd === 'string' || script.startsWith('/');
  const folder = typeof cwd === 'string' ? cwd : dirname(script);
  const entry = isPlain ? script.replace(`${folder}/`, '') : script.slice(folder === '.' ? 0 : folder.length + 1);
  const name = typeof app['name'] === 'string' ? app['name'] : folder;
  const args = listOf(app['args']);
  const isByScript = isStartScript(script, args);
  const settings: Record<string, unknown> = isByScript ? {} : { entry: entry.replace(/^\.\//, '') };
  const notes: string[] = [];
  const set = (key: string, value: unknown): void => {
    if (value !== undefined) settings[key] = value;
  };
  if (args.length > 0 && !isByScript) set('args', args);
  if (RUNNER.test(script) && !isByScript) {
    notes.push(`${name}: ${script} ${args.join(' ')}: name the file that it runs in entry, or make it the start`);
  }
  const flags = [...listOf(app['node_args']), ...listOf(app['interpreter_args'])];
  if (flags.length > 0) set('nodeArgs', flags);
  set('processes', processesOf(app['instances']));
  if (app['max_memory_restart'] !== undefined) set('memoryMbMax', megabytes(app['max_memory_restart']));
  if (Number(app['listen_timeout']) > 0) set('startTimeoutMs', Math.max(50, Number(app['listen_timeout'])));
  set('recycleOnChange', app['watch'] === true || Array.isArray(app['watch']));
  const variables = { ...(env as object | undefined), ...(production as object | undefined) };
  const texts = Object.entries(variables).filter(([key]) => key !== 'PORT').map(([key, value]) => [key, String(value)]);
  if (texts.length > 0) set('env', Object.fromEntries(texts));
  set('start', 'always');
  if (production !== undefined) notes.push(`${name}: env_production was laid over env`);
  if ((variables as { PORT?: unknown }).PORT !== undefined) notes.push(`${name}: PORT: the host gives it`);
  const { interpreter } = app;
  if (typeof interpreter === 'string' && !/^node(?:js)?$/.test(interpreter)) {
    notes.push(`${name}: interpreter "${interpreter}": only node is run`);
  }
  for (const [key, why] of Object.entries(IGNORED)) {
    if (Object.hasOwn(app, key)) notes.push(`${name}: ${key}: ${why}`);
  }
  return { name, folder, settings, notes };
}
