// What the end of a process that never listened means: one sentence for everybody, details for the
// developer. Pure: text in, wire/front-messages.ts Failure out. The sentence tells no path and no text of
// the program, since anybody may read it.

import { unreachable } from '../base/assert.ts';
import type { ErrorCode } from '../base/host-error.ts';
import type { Failure } from '../wire/front-messages.ts';

/** How it ended. */
export type StartEnd =
  | { kind: 'exited'; code: number | null; signal: string | null }
  | { kind: 'start-late'; startTimeoutMs: number }
  | { kind: 'spawn-failed'; reason: string }
  /** It was not even tried: the folder says that it cannot work. */
  | { kind: 'unusable'; reason: string };

export interface StartReport {
  /** Name of the app. */
  app: string;
  /** The command line, for people. */
  command: string;
  /** The end of what it wrote to stderr. */
  stderr: string;
  end: StartEnd;
}

/** Lines of stderr that a failure shows. */
export const STDERR_LINES_MAX = 100;

const LINE_CHARACTERS_MAX = 2000;

/** The last lines, each of bounded length, without colours and the blank lines at the ends. */
export function lastLines(text: string): string {
  // oxlint-disable-next-line no-control-regex
  const plain = text.replace(/\u001b\[[0-9;]*m/g, '').replace(/^(?:[ \t]*\r?\n)+|\s+$/g, '');
  return plain
    .split(/\r?\n/)
    .slice(-STDERR_LINES_MAX)
    .map((line) => line.slice(0, LINE_CHARACTERS_MAX))
    .join('\n');
}

/** What client/server-listen says in a program that listens on a Unix path only. */
const LISTENS_ON_PATH = /\[SLIPSTREAM_PATH_SERVER\].*? on the path (.{1,500}?): it is reached there/;

function pathHint(stderr: string): string | undefined {
  const path = LISTENS_ON_PATH.exec(stderr)?.[1];
  return path && `It listens on the path ${path}, where nobody asks: call listen(process.env.PORT).`;
}

/** Of node, which only takes types away. */
const NEEDS_COMPILER = /ERR_(?:(?:UNSUPPORTED|INVALID)_TYPESCRIPT_SYNTAX|UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING)/;
const COMPILER_HINT =
  'Node runs TypeScript by taking the types away; enums, decorators, namespaces and the like need a compiler. A ' +
  'start script that names tsx has it, also where tsx is not installed: in package.json ' +
  '"scripts": { "start": "tsx FILE" }.';

/** What node printed about the error that ended the program. */
interface Cause {
  /** For everybody; follows the name of the app. */
  sentence: string;
  /** For the developer. */
  detail: string;
}

const INSTALL_HINT = 'Is it installed? Packages are looked for in node_modules of the app and above it: npm install.';

const MISSING = /^(?:Uncaught )?Error(?: \[\w+\])?: (Cannot find (?:module|package) '([^'\n]{1,500})'.*)$/m;
const SYNTAX = /^(?:Uncaught )?(SyntaxError(?: \[\w+\])?: .*)$/m;
const LOCATION = /^((?:file:\/\/|\/|[A-Za-z]:[\\/]).{1,1000}:\d{1,9})$/m;
const THROWN = /^(?:Uncaught )?((?:[A-Za-z_$][\w$.]*)?Error(?: \[\w+\])?(?:: .*)?)$/m;

function causeOf(stderr: string): Cause | undefined {
  const missing = MISSING.exec(stderr);
  if (missing !== null) {
    const name = missing[2]!;
    const isPath = /^(?:\/|file:|[A-Za-z]:[\\/])/.test(name);
    const sentence = isPath ? 'cannot find one of its files' : `cannot find the module "${name}"`;
    const hint = isPath ? '' : `\n\n${INSTALL_HINT}`;
    return { sentence, detail: `${missing[1]!}${hint}` };
  }
  const syntax = SYNTAX.exec(stderr);
  if (syntax !== null) {
    const location = LOCATION.exec(stderr.slice(0, syntax.index))?.[1];
    const place = location === undefined ? '' : `\n${location}`;
    const hint = NEEDS_COMPILER.test(syntax[1]!) || isDecorated(stderr, syntax.index) ? `\n\n${COMPILER_HINT}` : '';
    const detail = `${syntax[1]!}${place}${hint}`;
    return { sentence: 'has a syntax error', detail };
  }
  const thrown = THROWN.exec(stderr);
  if (thrown === null) return undefined;
  return { sentence: 'ended with an error before it listened', detail: thrown[1]! };
}

/** "exited with code 1", "was ended by the signal SIGKILL". */
export function describeExit(code: number | null, signal: string | null): string {
  return signal === null ? `exited with code ${code ?? 'unknown'}` : `was ended by the signal ${signal}`;
}

/** The line of a TypeScript file that node shows, with the mark below it, is a decorator. */
function isDecorated(stderr: string, index: number): boolean {
  return /\.[cm]?tsx?:\d+\n[ \t]*@[\w$.]+/.test(stderr.slice(0, index));
}

/** Whether what a program wrote says that its TypeScript is more than types to take away. */
export function needsCompiler(stderr: string): boolean {
  const syntax = SYNTAX.exec(stderr);
  return NEEDS_COMPILER.test(stderr) || (syntax !== null && isDecorated(stderr, syntax.index));
}

interface Reading {
  code: ErrorCode;
  sentence: string;
  reason: string;
}

function read(end: StartEnd, stderr: string): Reading {
  switch (end.kind) {
    case 'exited': {
      const exit = describeExit(end.code, end.signal);
      const cause = end.signal === null && end.code !== 0 ? causeOf(stderr) : undefined;
      if (cause !== undefined) {
        const sentence = `${cause.sentence} (it ${exit})`;
        return { code: 'APP_EXITED', sentence, reason: `${cause.detail}\n\nThe process ${exit}.` };
      }
      const hint =
        end.signal === null && end.code === 0
          ? '\n\nIt came to its end without a server: does it call listen()?'
          : '';
      const sentence = `${exit} before it listened`;
      return { code: 'APP_EXITED', sentence, reason: `The process ${sentence}.${hint}` };
    }
    case 'start-late': {
      const sentence = `did not listen within ${end.startTimeoutMs} ms (startTimeoutMs)`;
      const reason =
        `The process ${sentence} and was ended.\n\n` +
        (pathHint(stderr) ??
          'An app listens when it calls listen() of an HTTP server. Does it wait for something else before?');
      return { code: 'APP_START_TIMED_OUT', sentence, reason };
    }
    case 'spawn-failed':
      return {
        code: 'APP_SPAWN_FAILED',
        sentence: 'has no process: it cannot be created',
        reason: end.reason,
      };
    case 'unusable':
      return {
        code: 'APP_SPAWN_FAILED',
        // What follows the colon may quote the file.
        sentence: `cannot be started: ${end.reason.split(': ', 1)[0]!}`,
        reason: `The app cannot be started: ${end.reason}${end.reason.endsWith('?') ? '' : '.'}`,
      };
    default:
      return unreachable(end);
  }
}

/** The answer for requests that waited for the process. Always status 500. */
export function startFailure(report: StartReport): Failure {
  const stderr = lastLines(report.stderr);
  const { code, sentence, reason } = read(report.end, stderr);
  const developer = [{ heading: 'Reason', text: reason }];
  if (report.command !== '') developer.push({ heading: 'Command', text: report.command });
  if (report.end.kind === 'exited' || report.end.kind === 'start-late') {
    const text = stderr === '' ? '(nothing)' : stderr;
    developer.push({ heading: 'Last lines of stderr', text });
  }
  return { status: 500, code, message: `app "${report.app}" ${sentence}`, developer };
}

/** For requests that came while the host stops. */
export function stoppedFailure(app: string): Failure {
  return {
    status: 503,
    code: 'APP_STOPPED',
    message: `app "${app}" is not started: the host is stopping`,
    developer: [],
    retryAfterSeconds: 5,
  };
}

/** For requests to an app whose folder went. */
export function absentFailure(app: string): Failure {
  return {
    status: 404,
    code: 'ROUTE_NOT_FOUND',
    message: `app "${app}" is not there any more`,
    developer: [],
  };
}
