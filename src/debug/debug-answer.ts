// What <app>/debug/ answers itself: texts of commands, refusals, and the page that says why a debuggee did
// not start. Everything that a program said is escaped.

import { escapeHtml } from '../base/html.ts';
import { HostError, messageOf } from '../base/host-error.ts';
import type { Answer, AskedRequest, Decision } from '../wire/front-messages.ts';
import { lastWordsOf } from './last-words.ts';

/** The answer to `?kill` that ended something. */
export const KILLED_TEXT = 'The debugger and debugee processes have been killed.';
/** The answer to `?kill` that found nothing to end. */
export const NOT_RUNNING_TEXT = 'The debugger for the application is not running.';
/** The answer to a bare word that is no command. */
const UNKNOWN_COMMAND_TEXT =
  'Unrecognized debugging command. Supported commands are ?debug (default), ?brk, and ?kill.';

/** Refuses a bare word that is no command. */
export function unknownCommand(masksFailures: boolean): Decision {
  return answerWith(masksFailures ? 200 : 400, UNKNOWN_COMMAND_TEXT, masksFailures ? 'text/html' : 'text/plain');
}

/** As error pages of the front look. */
const STYLE =
  ':root{color-scheme:light dark}' +
  'body{max-width:56rem;margin:2rem auto;padding:0 1rem;font:16px/1.5 system-ui,sans-serif}' +
  'h1{font-size:1.5rem}h2{font-size:1rem}code{font-size:.85em;opacity:.7}' +
  'pre{padding:1rem;overflow:auto;border:1px solid #8884;border-radius:6px;font:13px/1.45 ui-monospace,monospace;' +
  'white-space:pre-wrap;overflow-wrap:anywhere}';

/** The value of a field of the request, or undefined. */
export function fieldOf(request: AskedRequest, name: string): string | undefined {
  return valuesOf(request, name)[0];
}

/** All values of a field. */
export function valuesOf({ fields }: AskedRequest, name: string): string[] {
  return fields.filter((_, index) => index % 2 === 1 && fields[index - 1]!.toLowerCase() === name);
}

/** An answer of the door; never stored by anybody. */
export function answerWith(status: number, body: string, type = 'text/html', more: string[] = []): Decision {
  const answer: Answer = {
    status,
    fields: [
      'Content-Type',
      `${type}; charset=utf-8`,
      'Cache-Control',
      'no-cache',
      'X-Content-Type-Options',
      'nosniff',
      ...more,
    ],
    body,
  };
  return { kind: 'answer', answer };
}

/** 301 from `/x/debug` to `/x/debug/`, in the spelling that was asked for, keeping the query. */
export function redirectToDoor(request: AskedRequest): Decision {
  const mark = request.target.indexOf('?');
  const path = mark === -1 ? request.target : request.target.slice(0, mark);
  // A target that starts with two slashes would name another host.
  const location = `${path.replace(/^[/\\]+/, '/')}/${request.query}`;
  const shown = escapeHtml(location);
  const body = `<!doctype html><title>Moved</title><a href="${shown}">${shown}</a>\n`;
  return answerWith(301, body, 'text/html', ['Location', location]);
}

/** 403, with the way in. */
export function refusal(reason: string): Decision {
  const text =
    `The debugger is closed to this client (DEBUGGER_FORBIDDEN): ${reason}.\n\n` +
    'It runs any code that a viewer asks for. It opens for a browser on the machine itself that runs as the user\n' +
    'of the host and comes through no proxy, and for whoever opens a one-time link from\n' +
    '    slipstream debug <app>\n' +
    'over HTTPS; or carry the port over with\n' +
    '    ssh -L 8080:localhost:8080 <user of the host>@<machine>\n';
  return answerWith(403, text, 'text/plain');
}

function wantsJson(request: AskedRequest): boolean {
  const accept = fieldOf(request, 'accept') ?? '';
  return /\bapplication\/json\b/i.test(accept) && !/\btext\/html\b/i.test(accept);
}

/** What iisnode says where no port is free. */
const NO_PORT_TEXT =
  'The debugger was unable to acquire a TCP port to establish communication with the debugee.';

/** Why there is no debugger. */
export interface DebuggerFailure {
  error: unknown;
  /** The last lines of the debuggee, if it had any. */
  stderrTail: string;
  /** As iisnode has it: the page has the status 200. */
  masksFailures: boolean;
}

/** Says why there is no debugger. */
export function failurePage(app: string, request: AskedRequest, failure: DebuggerFailure): Decision {
  const { error, stderrTail, masksFailures } = failure;
  const code = error instanceof HostError ? error.code : 'DEBUGGEE_UNREACHABLE';
  const isBusy = code === 'DEBUGGER_PORTS_EXHAUSTED' || code === 'APP_STOPPED';
  const status = masksFailures ? 200 : isBusy ? 503 : 500;
  const lead = masksFailures && code === 'DEBUGGER_PORTS_EXHAUSTED' ? `${NO_PORT_TEXT} ` : '';
  const message = `${lead}${messageOf(error)}`;
  const tail = lastWordsOf(stderrTail);
  if (wantsJson(request)) {
    const body = `${JSON.stringify({ code, message, stderr: tail })}\n`;
    return answerWith(status, body, 'application/json');
  }
  const output = tail === '' ? '' : `<h2>Last lines of stderr</h2><pre>${escapeHtml(tail)}</pre>`;
  return answerWith(
    status,
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">' +
      `<title>Debugger of ${escapeHtml(app)}</title><style>${STYLE}</style>` +
      `<h1>The debugger of ${escapeHtml(app)} did not start</h1>` +
      `<p>${escapeHtml(message)} <code>${code}</code></p>${output}` +
      '<p>Load this page again to try once more.</p></html>\n',
  );
}
