// slipstream serve [root]: options -> a running host.

import { HostError } from '../base/host-error.ts';
import { runHost, defaultConfig, findConfigFile, readConfigFile } from '../process/host-main.ts';
import { folderOf, parseWords } from './options.ts';

const OPTIONS = {
  listen: { type: 'string', multiple: true },
  config: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const;

/** What `slipstream serve --help` prints. */
export const SERVE_HELP = `Usage: slipstream serve [root] [options]

Every folder with a package.json that names a main or a start script, or with a server, app,
index or main file, is an app; its URL is its path below root. The first request starts it,
changed files replace its processes.

  root                  folder of apps, or one app; default: the current folder
  --listen ORIGIN       where to listen, e.g. http://127.0.0.1:3000; may be repeated;
                        port 0 takes a free one; default http://localhost:8080
  --config FILE         settings; default: slipstream.yml in root, if it is there.
                        Edits are taken over while the host runs. See docs/settings.md
  --json                log lines are JSON objects

SLIPSTREAM_HOME is where sockets, logs and debugger settings are kept.
Ctrl+C or SIGTERM lets requests finish and stops everything; twice: at once.
`;

/** Runs the verb. @throws HostError for a bad option and for what keeps the host from starting. */
export async function serve(words: string[]): Promise<void> {
  const { values, positionals } = parseWords('serve', words, OPTIONS, 1);
  const root = folderOf(positionals[0] ?? '.');
  const file = values.config ?? findConfigFile(root);
  const config = file === undefined ? defaultConfig() : readConfigFile(file);
  const listen = values.listen ?? config.host.listen;
  if (listen.length === 0) throw new HostError('CONFIG_INVALID', 'there is nothing to listen on');
  await runHost({
    root,
    configFile: values.config,
    config: { ...config, host: { ...config.host, listen } },
    ...(values.listen && { listenOf: () => listen }),
    json: values.json,
  });
}
