// The page at `/` when no app is there: the apps, each with its link, its debugger and its state.
// Pure: a snapshot in, HTML out. Nothing of it comes from another host.

import { escapeHtml } from '../base/html.ts';
import type { AppSnapshot, AppState, HostSnapshot, JoinedSnapshot } from '../wire/status.ts';

const STATES: Record<AppState, string> = {
  idle: 'starts at the first request',
  starting: 'starting',
  ready: 'running',
  failed: 'failed to start',
  'crash-loop': 'keeps ending',
  stopped: 'stopped by a command',
  offline: 'offline (app_offline.htm)',
  debug: 'being debugged',
};

const STYLE = `
:root{color-scheme:light dark;--line:light-dark(#ddd,#3a3d42);--soft:light-dark(#666,#9aa0a6);
--link:light-dark(#0b57d0,#8ab4f8);--good:light-dark(#137333,#81c995);--bad:light-dark(#b3261e,#f28b82);
--debug:light-dark(#7b3fe4,#c58af9);--text:light-dark(#1f1f1f,#e3e3e3);--back:light-dark(#fff,#1f2023)}
body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:3rem auto;padding:0 1.25rem;
background:var(--back);color:var(--text)}
h2{font-size:1.1rem;font-weight:600;margin:2rem 0 .5rem}
h1{font-size:1.4rem;font-weight:600;margin:0 0 1.5rem}
a{color:var(--link);text-decoration:none}a:hover{text-decoration:underline}
table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:.6rem .75rem .6rem 0;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:500;color:var(--soft);font-size:.85rem}
.state::before{content:"";display:inline-block;width:.55em;height:.55em;border-radius:50%;
background:var(--soft);margin-right:.5em}
.ready::before,.starting::before{background:var(--good)}
.failed::before{background:var(--bad)}.debug::before{background:var(--debug)}
.soft{color:var(--soft);font-size:.85rem}code{font-size:.9em}`;


function row(app: AppSnapshot): string {
  const soft = (text: string): string => `<span class="soft">${text}</span>`;
  const pids = app.pids.length === 0 ? '' : ` ${soft(`pid ${app.pids.join(', ')}`)}`;
  const reason = app.failure ?? (app.lastEnd === undefined ? '' : `its last process ${app.lastEnd}`);
  const failure = reason === '' ? '' : `<br>${soft(escapeHtml(reason))}`;
  const link =
    app.debuggerPath === undefined
      ? soft('off')
      : `<a href="${escapeHtml(app.debuggerPath)}">debugger</a>`;
  return (
    `<tr><td><a href="${escapeHtml(app.path)}">${escapeHtml(app.name)}</a><br>` +
    `${soft(`<code>${escapeHtml(app.path)}</code>`)}</td>` +
    `<td><span class="state ${app.state}">${STATES[app.state]}</span>${pids}${failure}</td>` +
    `<td>${link}</td></tr>`
  );
}

/** Programs that joined, by their prefixes: not links, since `*` is no name. */
function joinedTable(joined: readonly JoinedSnapshot[]): string {
  if (joined.length === 0) return '';
  const rows = joined.map(({ prefix, pid, title, state }) => {
    const text = state === 'held' ? 'running' : 'closing';
    return (
      `<tr><td><code>${escapeHtml(prefix)}</code></td><td><span class="state ready">${text}</span> ` +
      `<span class="soft">${escapeHtml(title)}, pid ${pid}</span></td></tr>`
    );
  });
  return `<h2>Joined programs</h2><table><tr><th>URL prefix</th><th>State</th></tr>${rows.join('')}</table>`;
}

/** The whole page. */
export function indexPage(snapshot: HostSnapshot): string {
  const rows = snapshot.apps.map(row).join('');
  const apps =
    rows === ''
      ? '<p>No app yet. Put a folder with a <code>package.json</code> or a <code>server.js</code> here.</p>'
      : `<table><tr><th>App</th><th>State</th><th>Debugger</th></tr>${rows}</table>`;
  return `<!DOCTYPE html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">
<title>Slipstream</title><style>${STYLE}</style><h1>Slipstream</h1>${apps}${joinedTable(snapshot.joined ?? [])}
<p class="soft">Slipstream ${escapeHtml(snapshot.version)}, Node ${escapeHtml(process.version)}</p></html>
`;
}
