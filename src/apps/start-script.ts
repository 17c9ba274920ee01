// Reads a start script of package.json that runs one file with node. A script that needs a shell
// (operators, variables, globs) is none of these: it is left alone instead of being half understood.

/** What `[NAME=value …] node [flags] file [arguments]` says. */
export interface StartScript {
  env: Record<string, string>;
  flags: string[];
  file: string;
  args: string[];
}

/** Flags whose value may be the next word. */
const FLAGS_WITH_VALUE = new Set([
  '-r', '--require', '--import', '-C', '--conditions', '--loader', '--experimental-loader', '--env-file',
  '--env-file-if-exists', '--title', '--input-type', '--max-http-header-size', '--icu-data-dir',
  '--stack-trace-limit', '--max-old-space-size', '--max-semi-space-size', '--unhandled-rejections',
  '--dns-result-order', '--diagnostic-dir', '--redirect-warnings', '--openssl-config', '--tls-min-v1.2',
  '--inspect-port', '--debug-port', '--watch-path', '--disable-warning', '--experimental-config-file',
]);

/** With these node runs no file, or not as a program. */
const FLAGS_WITHOUT_FILE =
  /^(?:-e|--eval|-p|--print|-pe|-i|--interactive|-c|--check|--test|--run|-v|--version|-h|--help)(?:=|$)/;

/** Splits like a shell; undefined when it holds something that only a shell can do. */
function words(script: string): string[] | undefined {
  const found: string[] = [];
  const pattern = /\s*((?:[^\s'"\\$`&|;<>()*?#~!{}[\]]|'[^']*'|"[^"\\$`]*")+)(?=\s|$)/y;
  let at = 0;
  const end = script.trimEnd().length;
  while (at < end) {
    pattern.lastIndex = at;
    const match = pattern.exec(script);
    if (match === null) return undefined;
    found.push(match[1]!.replace(/'([^']*)'|"([^"]*)"/g, (_, single, double) => single ?? double));
    at = pattern.lastIndex;
  }
  return found;
}

/** The parts of a start script, or undefined when it does something else than running a file with node. */
export function parseStartScript(script: string): StartScript | undefined {
  if (script.length > 8192) return undefined;
  const rest = words(script);
  if (rest === undefined) return undefined;
  const env: Record<string, string> = {};
  if (rest[0] === 'cross-env' || rest[0] === 'env') rest.shift();
  for (let word = rest[0]; word !== undefined; word = rest[0]) {
    const match = /^([A-Za-z_]\w*)=(.*)$/s.exec(word);
    if (match === null) break;
    env[match[1]!] = match[2]!;
    rest.shift();
    if (rest[0] === 'cross-env') rest.shift();
  }
  const program = rest.shift();
  if (program !== 'node' && program !== 'node.exe' && program !== 'nodejs') return undefined;
  const flags: string[] = [];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') word = rest.shift();
    else if (word.startsWith('-')) {
      if (word === '-' || FLAGS_WITHOUT_FILE.test(word)) return undefined;
      flags.push(word);
      if (FLAGS_WITH_VALUE.has(word) && rest.length > 0) flags.push(rest.shift()!);
      continue;
    }
    return word === undefined ? undefined : { env, flags, file: word, args: rest };
  }
  return undefined;
}

/**
 * Leaves out the flags that the host has to decide on: a second inspector or a second watcher would
 * get in its way.
 */
export function withoutHostFlags(flags: readonly string[]): string[] {
  const kept: string[] = [];
  for (let index = 0; index < flags.length; index++) {
    const flag = flags[index]!;
    const name = flag.split('=', 1)[0]!;
    if (/^--(?:inspect(?:-.*)?|debug-port|watch(?:-.*)?)$/.test(name)) {
      const next = flags[index + 1];
      if (FLAGS_WITH_VALUE.has(flag) && next !== undefined && !next.startsWith('-')) index += 1;
      continue;
    }
    kept.push(flag);
  }
  return kept;
}
