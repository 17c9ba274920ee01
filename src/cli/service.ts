// slipstream service install: a systemd unit or a launchd plist for a host that starts with the machine.

import { mkdirSync, realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HostError } from '../base/host-error.ts';
import { parseListenOrigin } from '../process/config-tools.ts';
import { writeNew } from './migrate.ts';
import { parseWords, printJson } from './options.ts';
import { launchdPlist, systemdSocket, systemdUnit, type ServiceFacts } from './service-files.ts';

/** What `slipstream service --help` prints. */
export const SERVICE_HELP = `Usage: slipstream service install [root] [options]

Writes a unit for systemd (Linux) or a plist for launchd (macOS) that runs "slipstream serve"
on the folder, and says which commands switch it on. Nothing is started.

  root                  folder of apps; default: the current folder
  --system              for the whole machine (/etc/systemd/system); default: for this user
  --user NAME           the user that the host runs as; with --system only
  --home FOLDER         SLIPSTREAM_HOME; default: for --system /var/lib/slipstream
  --listen ORIGIN       as for serve; may be repeated
  --socket              with systemd: a second unit holds the ports of --listen, so that no
                        connection is refused while the host is started again
  --name NAME           name of the service; default slipstream
  --kind KIND           systemd or launchd; default: what this system has
  --print, --force, --json
`;

const OPTIONS = {
  json: { type: 'boolean', default: false },
  print: { type: 'boolean', default: false },
  force: { type: 'boolean', default: false },
  system: { type: 'boolean', default: false },
  user: { type: 'string' },
  home: { type: 'string' },
  listen: { type: 'string', multiple: true, default: [] as string[] },
  name: { type: 'string', default: 'slipstream' },
  kind: { type: 'string' },
  socket: { type: 'boolean', default: false },
} as const;

const KINDS = ['systemd', 'launchd'];

const SYSTEM_HOME = '/var/lib/slipstream';

/** Runs the verb. @throws HostError OPTION_INVALID, OPTION_UNKNOWN, FILE_EXISTS */
export async function service(words: string[]): Promise<void> {
  const [verb, ...rest] = words;
  if (verb !== 'install') {
    throw new HostError('OPTION_UNKNOWN', 'service takes install; see slipstream service --help');
  }
  const { values, positionals } = parseWords('service', rest, OPTIONS, 1);
  const { system, name, user } = values;
  if (!/^[A-Za-z0-9_.-]{1,64}$/.test(name)) {
    throw new HostError('OPTION_INVALID', `"${name}" is no name of a service: letters, digits and - _ .`);
  }
  if (user !== undefined && (!system || !/^[a-z_][\w.-]{0,31}$/i.test(user))) {
    throw new HostError('OPTION_INVALID', '--user takes the name of a user, and needs --system');
  }
  const home = values.home ?? (system ? SYSTEM_HOME : process.env['SLIPSTREAM_HOME']);
  const facts: ServiceFacts = {
    name,
    node: process.execPath,
    cli: realpathSync(fileURLToPath(new URL('./main.js', import.meta.url))),
    root: resolve(positionals[0] ?? '.'),
    listen: values.listen,
    isSystem: system,
    home: home === undefined ? undefined : resolve(home),
    user,
    hasSocket: values.socket,
  };
  const kind = values.kind ?? (process.platform === 'darwin' ? 'launchd' : 'systemd');
  if (!KINDS.includes(kind)) throw new HostError('OPTION_INVALID', `--kind is systemd or launchd, not "${kind}"`);
  const isMac = kind === 'launchd';
  const text = isMac ? launchdPlist(facts) : systemdUnit(facts);
  const file = isMac ? plistPath(facts) : unitPath(facts);
  const socket = values.socket ? socketText(values.listen, isMac) : undefined;
  if (values.print) {
    process.stdout.write(socket === undefined ? text : `# ${name}.service\n${text}\n# ${name}.socket\n${socket}`);
    return;
  }
  mkdirSync(dirname(file), { recursive: true });
  writeNew(file, text, values.force);
  if (socket !== undefined) writeNew(file.replace(/service$/, 'socket'), socket, values.force);
  const commands = isMac ? [`launchctl load -w ${file}`] : systemdCommands(facts);
  if (values.json) printJson({ file, commands });
  else process.stdout.write(`wrote ${file}\nswitch it on with:\n${commands.map((line) => `  ${line}\n`).join('')}`);
}

/** @throws HostError OPTION_INVALID */
function socketText(listen: readonly string[], isMac: boolean): string {
  if (isMac) throw new HostError('OPTION_INVALID', '--socket is for systemd');
  const origins = listen.map(parseListenOrigin);
  if (origins.length === 0 || origins.some(({ port }) => port === 0)) {
    throw new HostError('OPTION_INVALID', '--socket needs the ports: --listen http://host:port');
  }
  return systemdSocket(origins.flatMap(({ addresses, port }) =>
    addresses.map((address) => `${address.includes(':') ? `[${address}]` : address}:${port}`)));
}

function unitPath({ name, isSystem }: ServiceFacts): string {
  if (isSystem) return `/etc/systemd/system/${name}.service`;
  const config = process.env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config');
  return join(config, 'systemd', 'user', `${name}.service`);
}

function plistPath({ name, isSystem }: ServiceFacts): string {
  const folder = isSystem ? '/Library/LaunchDaemons' : join(homedir(), 'Library', 'LaunchAgents');
  return join(folder, `${name}.plist`);
}

function systemdCommands({ name, isSystem, hasSocket = false }: ServiceFacts): string[] {
  const control = isSystem ? 'systemctl' : 'systemctl --user';
  return [`${control} daemon-reload`, `${control} enable --now ${hasSocket ? `${name}.socket ` : ''}${name}`];
}
