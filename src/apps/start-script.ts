// Reads a start script of package.json that runs one file with node, with a program that only adds to
// node (tsx, ts-node, nodemon), or by a command of a package (next start). A script that needs a shell
// (operators, variables, globs) is none of these: it is left alone instead of being half understood.

/** What `[NAME=value …] node [flags] file [arguments]` says. */
export interface StartScript {
  env: Record<string, string>;
  flags: string[];
  file: string;
  args: string[];
  /** The file is TypeScript with all that compilers know, not only types to strip. */
  usesTsx?: true;
}

/** What `[NAME=value …] command [arguments]` says, where the command belongs to a package: `next start`. */
export interface CommandScript {
  env: Record<string, string>;
  command: string;
  args: string[];
}

/** What runs a file. Its own flags are left out: what it does besides is the host's part. */
interface Runner {
  usesTsx?: true;
  /** A first word that is no file: `tsx watch`. */
  mode?: string;
  /** Its own flags whose value may be the next word. */
  withValue: ReadonlySet<string>;
  /** Its other own flags. */
  plain: ReadonlySet<string>;
  /** With these it does something else. */
  refused?: ReadonlySet<string>;
}

const NODE: Runner = { withValue: new Set(), plain: new Set() };
const TS_NODE: Runner = {
  usesTsx: true,
  withValue: new Set(['-P', '--project', '-C', '--compiler', '-O', '--compilerOptions', '-I', '--ignore',
    '-D', '--ignoreDiagnostics', '--dir', '--cwd', '--scopeDir', '--watch', '--interval', '--debounce']),
  plain: new Set(['-T', '--transpile-only', '--transpileOnly', '-F', '--files', '-H', '--compilerHost', '--swc',
    '--esm', '--pretty', '--skipIgnore', '--preferTsExts', '--scriptMode', '--cwdMode', '--logError',
    '--skipProject', '--respawn', '--exit-child', '--clear', '--cls', '--poll', '--quiet', '--rs', '--notify']),
};
const RUNNERS: ReadonlyMap<string, Runner> = new Map([
  ['node', NODE],
  ['node.exe', NODE],
  ['nodejs', NODE],
  [
    'tsx',
    {
      usesTsx: true,
      mode: 'watch',
      withValue: new Set(['--tsconfig', '--include', '--exclude', '--ignore']),
      plain: new Set(['--no-cache', '--clear-screen', '--no-clear-screen']),
    },
  ],
  ['ts-node', TS_NODE],
  ['ts-node-dev', TS_NODE],
  ['tsnd', TS_NODE],
  [
    'nodemon',
    {
      withValue: new Set(['-w', '--watch', '-e', '--ext', '-i', '--ignore', '-d', '--delay', '-s', '--signal',
        '--config']),
      plain: new Set(['-q', '--quiet', '-V', '--verbose', '-L', '--legacy-watch', '-C', '--on-change-only',
        '-I', '--no-stdin', '--no-colors']),
      // Another program, another folder.
      refused: new Set(['-x', '--exec', '--cwd']),
    },
  ],
]);

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

/** The variables in front of a script and the words behind them; undefined when it needs a shell. */
function splitScript(script: string): { env: Record<string, string>; rest: string[] } | undefined {
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
  if (rest[0] === 'npx') rest.shift();
  return { env, rest };
}

/** The parts of a start script, or undefined when it does something else than running a file with node. */
export function parseStartScript(script: string): StartScript | undefined {
  const split = splitScript(script);
  const runner = RUNNERS.get(split?.rest.shift() ?? '');
  if (split === undefined || runner === undefined) return undefined;
  const { env, rest } = split;
  if (runner.mode !== undefined && rest[0] === runner.mode) rest.shift();
  const flags: string[] = [];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') word = rest.shift();
    else if (word.startsWith('-')) {
      const name = word.split('=', 1)[0]!;
      if (runner.withValue.has(word)) rest.shift();
      if (runner.withValue.has(name) || runner.plain.has(name)) continue;
      if (word === '-' || FLAGS_WITHOUT_FILE.test(word) || runner.refused?.has(name)) return undefined;
      flags.push(word);
      if (FLAGS_WITH_VALUE.has(word) && rest.length > 0) flags.push(rest.shift()!);
      continue;
    }
    if (word === undefined) return undefined;
    return { env, flags, file: word, args: rest, ...(runner.usesTsx && { usesTsx: true }) };
  }
  return undefined;
}

/** Words that start scripts begin with and that are no commands of a package that serves. */
const NO_COMMANDS = new Set(['npm', 'npx', 'yarn', 'pnpm', 'bun', 'bunx', 'deno', 'sh', 'bash', 'cd', 'exit', 'echo']);

/** The parts of a start script that is one command of a package, or undefined. */
export function parseCommandScript(script: string): CommandScript | undefined {
  const split = splitScript(script);
  const [command = '', ...args] = split?.rest ?? [];
  if (split === undefined || RUNNERS.has(command) || NO_COMMANDS.has(command)) return undefined;
  return /^[A-Za-z][\w.-]*$/.test(command) ? { env: split.env, command, args } : undefined;
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
