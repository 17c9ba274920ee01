// slipstream debug <app>: a one-time link to the debugger, or an end to it or to those who may use it.

import { join } from 'node:path';
import { homeFolder } from '../base/home-folder.ts';
import { HostError, messageOf } from '../base/host-error.ts';
import { AccessGrants, DEBUG_ROLES, readersFolder, type DebugRole } from '../debug/access-grants.ts';
import { exchange } from '../debug/poll-client.ts';
import { askHost } from '../process/control-client.ts';
import type { AppSnapshot, HostSnapshot } from '../wire/status.ts';
import { appOf, HOST_OPTIONS, hostPid, parseWords, printJson } from './options.ts';
import { openerFor, openLink } from './open-link.ts';
import { printable } from './text-table.ts';

/** Shown by `--help`. */
export const DEBUG_HELP = `Usage: slipstream debug <app> [--role ROLE] [--brk | --live | --kill] [--url ORIGIN] [--json]
       slipstream debug [<app>] --revoke

Prints a link that opens the debugger of the app in a browser anywhere, once and within
five minutes; the browser is signed in for twelve hours then. Browsers on this machine need
none: they open <app>/debug/. In a terminal of a desktop the first link is opened at once.

  --role ROLE    observe: look; step: also stop and go on; full (default): also run code
  --brk          stops before the first line of the program; the debugger must not run yet
  --live         attaches to the processes that serve, without a restart
  --kill         ends the debugger and its program
  --open         opens the link in a browser here, from a script too; --no-open never does
  --revoke       ends all links and sessions, of this app or of all, those of its logs too
                 and the pages of who came by certificate or user; lists in the configuration stay
  --url ORIGIN   how the host is reached from outside, e.g. https://apps.example
  --host PID     which host, where several run
`;

const OPTIONS = {
  ...HOST_OPTIONS,
  role: { type: 'string', default: 'full' },
  brk: { type: 'boolean', default: false },
  live: { type: 'boolean', default: false },
  kill: { type: 'boolean', default: false },
  open: { type: 'boolean', default: false },
  'no-open': { type: 'boolean', default: false },
  revoke: { type: 'boolean', default: false },
  url: { type: 'string' },
} as const;

interface Target {
  /** Path of the app. */
  app: string;
  /** `https://host/app/debug/`, for each listener. */
  urls: URL[];
}

/** Runs the verb. @throws HostError APP_UNKNOWN, OPTION_INVALID, DEBUGGER_NOT_RUNNING */
export async function debug(words: string[]): Promise<void> {
  const { values, positionals } = parseWords('debug', words, OPTIONS, 1);
  const grants = new AccessGrants(join(homeFolder(), 'debugger'));
  const role = roleOf(values.role);
  if (values.revoke) {
    const app = positionals[0] === undefined ? null : (await findTarget(positionals[0], values)).app;
    // Who may debug may read, and so may who got a link to the logs.
    const readers = new AccessGrants(readersFolder(join(homeFolder(), 'debugger')));
    const revoked = { debugger: grants.revoke(app), logs: readers.revoke(app) };
    if (values.json) printJson({ revoked });
    else process.stdout.write(`revoked: ${revoked.debugger} of the debugger, ${revoked.logs} of the logs\n`);
    return;
  }
  const target = await findTarget(appOf('debug', positionals), values);
  if (values.kill) return kill(target, grants);
  const wish = values.open ? 'yes' : values['no-open'] || values.json ? 'no' : 'where-a-person-is';
  const { env: environment, platform, stdout } = process;
  const opener = openerFor(wish, { environment, platform, isTerminal: stdout.isTTY });
  if (values.brk) await start(target, grants, '?brk');
  else if (values.live) await start(target, grants, '?live');
  const secret = grants.createLink(target.app, role);
  const links = linksTo(target.urls, secret);
  if (values.json) printJson({ links, role });
  else process.stdout.write(links.map((link) => `${link}\n`).join(''));
  const [first] = links;
  if (opener !== null && first !== undefined) await openLink(opener, first);
}

function roleOf(text: string): DebugRole {
  const role = DEBUG_ROLES.find((name) => name === text);
  if (role !== undefined) return role;
  throw new HostError('OPTION_INVALID', `--role is one of ${DEBUG_ROLES.join(', ')}, not "${text}"`);
}

/** The app with this name or path, as the host tells of it. @throws HostError APP_UNKNOWN */
export async function findSnapshot(
  name: string,
  host: string | undefined,
): Promise<{ snapshot: HostSnapshot; app: AppSnapshot }> {
  const snapshot = (await askHost({ verb: 'status' }, { pid: hostPid(host) })) as HostSnapshot;
  const app = snapshot.apps.find((candidate) => isNamed(candidate, name));
  if (app !== undefined) return { snapshot, app };
  throw new HostError('APP_UNKNOWN', `there is no app "${printable(name)}"; see slipstream status`);
}

/** The same path at each of some origins. @throws HostError OPTION_INVALID */
export function urlsAt(path: string, origins: readonly string[]): URL[] {
  return origins.map((origin) => {
    // A path would be lost: the debugger is below the app, and the app where the host has it.
    if (isOrigin(origin)) return new URL(path, origin);
    throw new HostError('OPTION_INVALID', `--url is an origin such as https://apps.example, not "${origin}"`);
  });
}

/** The same with a one-time link. */
export function linksTo(urls: readonly URL[], secret: string): string[] {
  return urls.map((url) => {
    const link = new URL(url);
    link.searchParams.set('link', secret);
    return link.href;
  });
}

async function findTarget(
  name: string,
  values: { host?: string | undefined; url?: string | undefined },
): Promise<Target> {
  const { snapshot, app } = await findSnapshot(name, values.host);
  const { debuggerPath } = app;
  if (debuggerPath === undefined) {
    throw new HostError('DEBUGGER_NOT_RUNNING', `debugging is off for app "${app.name}" (debuggingEnabled)`);
  }
  const origins = values.url === undefined ? (snapshot.debuggerUrls ?? snapshot.urls ?? []) : [values.url];
  return { app: app.path, urls: urlsAt(debuggerPath, origins) };
}

function isOrigin(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : null;
  return url !== null && /^https?:$/.test(url.protocol) && url.pathname === '/' && url.search === '';
}

function isNamed(app: AppSnapshot, name: string): boolean {
  const path = `/${name.replace(/^\/+|\/+$/g, '')}/`.replace('//', '/');
  return app.name === name || app.path === path;
}

async function kill(target: Target, grants: AccessGrants): Promise<void> {
  process.stdout.write(`${await start(target, grants, '?kill')}\n`);
}

/** Asks the door, signed in for this one request. */
async function start({ app, urls }: Target, grants: AccessGrants, query: string): Promise<string> {
  const redeemed = grants.redeemLink(app, grants.createLink(app, 'full'));
  const secret = redeemed?.secret ?? '';
  let reason = 'the host listens nowhere';
  try {
    for (const url of urls) {
      try {
        const answer = await exchange(new URL(query, url), { headers: { 'slipstream-session': secret } });
        if (answer.status === 200) return answer.text;
        reason = answer.text;
      } catch (error) {
        reason = messageOf(error);
      }
    }
  } finally {
    grants.endSession(secret);
  }
  throw new HostError('DEBUGGER_NOT_RUNNING', `the debugger did not answer: ${reason.trim().split('\n')[0]}`);
}
