// What a client sees when the front answers for an app: HTML, JSON or plain text, by Accept. Status and
// code are honest. Parts for developers are shown only to a person at this machine or who signed in.

import { STATUS_CODES } from 'node:http';
import { escapeHtml } from '../base/html.ts';
import type { Answer, Failure, Group } from '../wire/front-messages.ts';
import { renderIisnodeFailure } from './iisnode-page.ts';

/** Who asks. */
export interface FailureReader {
  /** A person at this machine who came through no proxy, or who signed in: sees the developer parts. */
  local: boolean;
  /** The value of Accept, '' if there was none. */
  accept: string;
  /** Of the group that failed. */
  pages?: Group['errorPages'];
}

const CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox";

type Format = 'json' | 'html' | 'text';

/** Longest Accept that is looked at; browsers send some 150 characters. */
const ACCEPT_LENGTH_MAX = 1000;

const STYLE = `
:root{color-scheme:light dark;--text:#1c2430;--soft:#5b6675;--back:#f6f7f9;--card:#fff;
--line:#dfe3e8;--mark:#b3261e}
@media(prefers-color-scheme:dark){:root{--text:#e4e8ee;--soft:#9aa5b4;--back:#14181e;--card:#1c222b;
--line:#2f3742;--mark:#ff8a80}}
*{box-sizing:border-box}
body{margin:0;padding:2rem 1rem;background:var(--back);color:var(--text);font:16px/1.5 system-ui,sans-serif}
main{max-width:56rem;margin:0 auto}
h1{margin:0;font-size:1.5rem;line-height:1.25}
h1 span{color:var(--mark);margin-right:.5rem}
.code{margin:.25rem 0 1rem;color:var(--soft);font:13px/1.5 ui-monospace,monospace}
h2{margin:1.5rem 0 .5rem;font-size:1rem}
pre{margin:0;padding:1rem;overflow:auto;max-height:32rem;background:var(--card);border:1px solid var(--line);
border-radius:6px;font:13px/1.45 ui-monospace,monospace;white-space:pre-wrap;overflow-wrap:anywhere}
footer{margin-top:2rem;color:var(--soft);font-size:.85rem}
`.trim();

/**
 * Renders a failure. `fields` are whole: Content-Type, Content-Length of the UTF-8 body, Cache-Control and
 * Retry-After if the failure has one; to HEAD the same fields go without the body.
 */
export function renderFailure(failure: Failure, reader: FailureReader): Answer {
  if (failure.page !== undefined) return renderPage(failure, failure.page);
  const own = reader.pages === undefined ? null : renderIisnodeFailure(failure, reader.pages, reader.local);
  if (own !== null) return own;
  const format = preferredFormat(reader.accept);
  const body = BODIES[format](failure, reader.local);
  const fields = [
    'Content-Type', CONTENT_TYPES[format],
    'Content-Length', String(Buffer.byteLength(body)),
    'Cache-Control', 'no-store',
    'X-Content-Type-Options', 'nosniff',
  ];
  if (format === 'html') {
    fields.push('Content-Security-Policy', CONTENT_POLICY);
  }
  if (failure.retryAfterSeconds !== undefined) {
    fields.push('Retry-After', String(Math.max(0, Math.ceil(failure.retryAfterSeconds))));
  }
  return { status: failure.status, fields, body };
}

/** A page of the app's owner, to everybody and as it is. */
function renderPage(failure: Failure, page: string): Answer {
  const fields = [
    'Content-Type', CONTENT_TYPES.html,
    'Content-Length', String(Buffer.byteLength(page)),
    'Cache-Control', 'no-store',
  ];
  if (failure.retryAfterSeconds !== undefined) {
    fields.push('Retry-After', String(Math.max(0, Math.ceil(failure.retryAfterSeconds))));
  }
  return { status: failure.status, fields, body: page };
}

const CONTENT_TYPES: Record<Format, string> = {
  json: 'application/json; charset=utf-8',
  html: 'text/html; charset=utf-8',
  text: 'text/plain; charset=utf-8',
};

const BODIES: Record<Format, (failure: Failure, local: boolean) => string> = {
  json: renderJson,
  html: renderHtml,
  text: renderText,
};

/** HTML and JSON only for who names them; a bare `*` + `/*` as from curl gets plain text. */
function preferredFormat(accept: string): Format {
  if (accept.length > ACCEPT_LENGTH_MAX) return 'text';
  let html = 0;
  let json = 0;
  let text = 0;
  for (const range of accept.toLowerCase().split(',')) {
    const [type = '', ...parameters] = range.split(';');
    const weight = weightOf(parameters);
    const name = type.trim();
    if (name === 'text/html' || name === 'application/xhtml+xml') html = Math.max(html, weight);
    else if (name === 'application/json' || (name.startsWith('application/') && name.endsWith('+json'))) {
      json = Math.max(json, weight);
    } else if (name === 'text/plain') text = Math.max(text, weight);
  }
  if (json > html && json >= text) return 'json';
  return html > 0 && html >= text ? 'html' : 'text';
}

/** The `q` of a media range, RFC 9110 12.4.2; what cannot be read counts as 0. */
function weightOf(parameters: readonly string[]): number {
  for (const parameter of parameters) {
    const [name = '', value = ''] = parameter.split('=');
    if (name.trim() !== 'q') continue;
    const weight = Number(value.trim() || 'NaN');
    return weight >= 0 && weight <= 1 ? weight : 0;
  }
  return 1;
}

function titleOf(failure: Failure): string {
  return STATUS_CODES[failure.status] ?? 'Error';
}

function renderJson(failure: Failure, local: boolean): string {
  const { code, message, developer, retryAfterSeconds } = failure;
  const error = {
    code,
    message,
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    ...(local && developer.length > 0 ? { developer } : {}),
  };
  return `${JSON.stringify({ error })}\n`;
}

function renderText(failure: Failure, local: boolean): string {
  let text = `${failure.status} ${titleOf(failure)}\n${failure.message} (${failure.code})\n`;
  if (!local) return text;
  for (const part of failure.developer) text += `\n${part.heading}\n${part.text.replace(/\n*$/, '\n')}`;
  return text;
}

function renderHtml(failure: Failure, local: boolean): string {
  const title = `${failure.status} ${titleOf(failure)}`;
  let parts = '';
  if (local) {
    for (const part of failure.developer) {
      parts += `<h2>${escapeHtml(part.heading)}</h2>\n<pre>${escapeHtml(part.text)}</pre>\n`;
    }
    if (parts !== '') parts += '<footer>Details are shown because you are at this machine or signed in.</footer>\n';
  }
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1><span>${failure.status}</span>${escapeHtml(titleOf(failure))}</h1>
<p class="code">${escapeHtml(failure.code)}</p>
<p>${escapeHtml(failure.message)}</p>
${parts}</main>
</body>
</html>
`;
}
