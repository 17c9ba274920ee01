#!/usr/bin/env node
// The command line: finds the verb, prints what went wrong in one line, sets the exit code. Verbs are loaded
// when they are wanted: asking a host should not load a host.

import { HostError, messageOf } from '../base/host-error.ts';
import { nearestName } from '../base/setting.ts';

interface Verb {
  /** Gets the words behind the verb. */
  run(words: string[]): Promise<void>;
  help: string;
}

/** In the order of the help. */
const VERBS: Readonly<Record<string, { summary: string; load(): Promise<Verb> }>> = {
  serve: {
    summary: 'serve [root]            hosts the apps of a folder',
    load: () => import('./serve.ts').then(({ serve, SERVE_HELP }) => ({ run: serve, help: SERVE_HELP })),
  },
  status: {
    summary: 'status                  apps, processes, requests, memory of the running host',
    load: () => import('./status.ts').then(({ status, STATUS_HELP }) => ({ run: status, help: STATUS_HELP })),
  },
  logs: {
    summary: 'logs <app> [-f]         what an app prints',
    load: () => import('./logs.ts').then(({ logs, LOGS_HELP }) => ({ run: logs, help: LOGS_HELP })),
  },
  reload: {
    summary: 'reload <app> | --all    new processes take over, no request is lost',
    load: () => import('./reload.ts').then(({ reload, RELOAD_HELP }) => ({ run: reload, help: RELOAD_HELP })),
  },
  start: {
    summary: 'start <app>             starts an app without a request',
    load: () => import('./start-stop.ts').then(({ start, START_HELP }) => ({ run: start, help: START_HELP })),
  },
  stop: {
    summary: 'stop <app>              stops an app; requests get 503',
    load: () => import('./start-stop.ts').then(({ stop, STOP_HELP }) => ({ run: stop, help: STOP_HELP })),
  },
  debug: {
    summary: 'debug <app>             one-time link to the debugger; --kill, --revoke, --role',
    load: () => import('./debug.ts').then(({ debug, DEBUG_HELP }) => ({ run: debug, help: DEBUG_HELP })),
  },
  attach: {
    summary: 'attach <url>            127.0.0.1:9229 for VS Code, Chrome and node inspect',
    load: () => import('./attach.ts').then(({ attach, ATTACH_HELP }) => ({ run: attach, help: ATTACH_HELP })),
  },
  cache: {
    summary: 'cache show | purge      what the output cache holds; drops it by URL, prefix or tag',
    load: () => import('./cache.ts').then(({ cache, CACHE_HELP }) => ({ run: cache, help: CACHE_HELP })),
  },
  tls: {
    summary: 'tls add | list | …      certificates for https; tls dev makes one for localhost',
    load: () => import('./tls.ts').then(({ tls, TLS_HELP }) => ({ run: tls, help: TLS_HELP })),
  },
  config: {
    summary: 'config explain [app]    which settings hold, and where they come from; config schema',
    load: () => import('./config.ts').then(({ config, CONFIG_HELP }) => ({ run: config, help: CONFIG_HELP })),
  },
  check: {
    summary: 'check [folder]          the apps of a folder and what is wrong with them, nothing is started',
    load: () => import('./check.ts').then(({ check, CHECK_HELP }) => ({ run: check, help: CHECK_HELP })),
  },
  migrate: {
    summary: 'migrate [folder]        slipstream.yml from web.config, iisnode.yml or a PM2 file',
    load: () => import('./migrate.ts').then(({ migrate, MIGRATE_HELP }) => ({ run: migrate, help: MIGRATE_HELP })),
  },
  init: {
    summary: 'init [folder]           a slipstream.yml to start from',
    load: () => import('./init.ts').then(({ init, INIT_HELP }) => ({ run: init, help: INIT_HELP })),
  },
  service: {
    summary: 'service install [root]  a systemd unit or a launchd plist',
    load: () => import('./service.ts').then(({ service, SERVICE_HELP }) => ({ run: service, help: SERVICE_HELP })),
  },
};

const HELP = `Slipstream hosts Node.js apps on one port, each with a debugger at <app>/debug.

Usage: slipstream <verb> [options]

${Object.values(VERBS).map(({ summary }) => `  ${summary}\n`).join('')}
  --help, --version       slipstream <verb> --help tells more

First steps: slipstream serve in a folder with apps, then open http://localhost:8080/.
Verbs that ask the running host find it by SLIPSTREAM_HOME, from any folder; --json makes
their answers fit for programs.
`;

/** Wrong use of the command line. */
const EXIT_USAGE = 2;

function verbNamed(name: string): (typeof VERBS)[string] | undefined {
  return Object.hasOwn(VERBS, name) ? VERBS[name] : undefined;
}

async function main(words: string[]): Promise<void> {
  const [name, ...rest] = words;
  if (name === '--version' || name === '-v') {
    const { packageVersion } = await import('../process/package-version.ts');
    process.stdout.write(`${packageVersion()}\n`);
    return;
  }
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const verb = name === 'help' ? verbNamed(rest[0] ?? '') : undefined;
    process.stdout.write(verb === undefined ? HELP : (await verb.load()).help);
    return;
  }
  const verb = verbNamed(name);
  if (verb === undefined) {
    const near = nearestName(name, Object.keys(VERBS));
    const hint = near === undefined ? '; see slipstream --help' : `; did you mean "${near}"? See slipstream --help`;
    throw new HostError('OPTION_UNKNOWN', `there is no verb "${name}"${hint}`);
  }
  const { run, help } = await verb.load();
  // `slipstream status | head`: whoever read has left, and nobody is there to tell. A host stays.
  if (name !== 'serve') {
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      process.exit(0);
    });
  }
  if (rest.includes('--help') || rest.includes('-h')) process.stdout.write(help);
  else await run(rest);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const code = error instanceof HostError ? error.code : '';
  process.stderr.write(`slipstream: ${messageOf(error)}${code === '' ? '' : ` [${code}]`}\n`);
  process.exit(code.startsWith('OPTION_') ? EXIT_USAGE : 1);
});
