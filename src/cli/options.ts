// Words of the command line -> options and positionals, with errors that name the verb's help.

import { statSync } from 'node:fs';
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { HostError, messageOf } from '../base/host-error.ts';
import { nearestName } from '../base/setting.ts';

type ParseArgsOptionsConfig = NonNullable<ParseArgsConfig['options']>;

/** Options of each verb that asks the running host. */
export const HOST_OPTIONS = {
  json: { type: 'boolean', default: false },
  host: { type: 'string' },
} as const satisfies ParseArgsOptionsConfig;

/** What {@link parseWords} gives. */
export type ParsedWords<Options extends ParseArgsOptionsConfig> = ReturnType<
  typeof parseArgs<{ args: string[]; options: Options; allowPositionals: true; strict: true }>
>;

/** Parses the words behind a verb. @throws HostError OPTION_UNKNOWN, OPTION_INVALID */
export function parseWords<const Options extends ParseArgsOptionsConfig>(
  verb: string,
  words: string[],
  options: Options,
  positionalsMax: number,
): ParsedWords<Options> {
  let parsed: ParsedWords<Options>;
  try {
    parsed = parseArgs({ args: words, options, allowPositionals: true, strict: true });
  } catch (error) {
    const text = messageOf(error).split('. ')[0]!;
    const unknown = /^Unknown option '--(.+)'$/.exec(text)?.[1];
    const near = unknown === undefined ? undefined : nearestName(unknown, Object.keys(options));
    const hint = near === undefined ? '; see' : `; did you mean "--${near}"? See`;
    throw new HostError('OPTION_UNKNOWN', `${text}${hint} slipstream ${verb} --help`, { cause: error });
  }
  const { length } = parsed.positionals;
  if (length > positionalsMax) {
    const extra = parsed.positionals.slice(positionalsMax).join(' ');
    throw new HostError('OPTION_INVALID', `${verb} does not take "${extra}"; see slipstream ${verb} --help`);
  }
  return parsed;
}

/** The pid that `--host` names. @throws HostError OPTION_INVALID */
export function hostPid(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const pid = Number(text);
  if (Number.isInteger(pid) && pid > 0) return pid;
  throw new HostError('OPTION_INVALID', `--host takes the pid of a host, not "${text}"`);
}

/** @throws HostError ROOT_MISSING when `folder` is none */
export function folderOf(folder: string): string {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return folder;
  throw new HostError('ROOT_MISSING', `${folder} is not a folder`);
}

/** The one app that a verb is about; `orElse` names what it takes otherwise. @throws HostError OPTION_INVALID */
export function appOf(verb: string, positionals: readonly string[], orElse: string = ''): string {
  const [app] = positionals;
  if (app !== undefined) return app;
  throw new HostError('OPTION_INVALID', `${verb} needs an app: slipstream ${verb} <app>${orElse}`);
}

/** Prints a result as JSON, for programs. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
