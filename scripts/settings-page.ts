// docs/settings.md, made from the tables of settings, so that page and program cannot disagree.

import { APP_SETTINGS } from '../src/apps/app-config.ts';
import { FRONT_LIMITS } from '../src/base/limits.ts';
import type { SettingRow, SettingTable } from '../src/base/setting.ts';
import { HOST_SETTINGS } from '../src/host/host-config.ts';
import { TLS_SETTINGS } from '../src/host/tls-config.ts';

const HEAD = `# Settings

Made from the tables in the source by \`npm run check -- --write\`; edit it there.

Without a file every setting has its default. \`slipstream serve\` reads \`slipstream.yml\` in the root, or the
file after \`--config\`; \`slipstream init\` writes one to start from:

\`\`\`yaml
listen: [http://localhost:8080]   # settings of the host: top level
limits:                           # limits of the front
  bodyBytesMax: 10000000
defaults:                         # settings of every app
  startTimeoutMs: 10000
apps:                             # settings of one app, by its path
  /shop/:
    startTimeoutMs: 60000
\`\`\`

An app may have a \`slipstream.yml\` in its own folder with the settings of an app at the top level; what the
root's file says of the app under \`apps\` is stronger. Where the root itself is the app, its settings stand at the
top level too.

An unknown name, a wrong type or a value out of range stops the start with \`CONFIG_INVALID\`, the file
and the line. While the host runs, edits hold at once (\`frontProcesses\` and \`debuggerPortRange\` need a
restart); a file that is wrong, or names an address that cannot be had, is refused as a whole and the last good
settings hold: \`slipstream status\` says so.
\`slipstream config explain [app]\` shows what holds and where it comes from.
`;

const TLS_HEAD = `## TLS (\`tls\`)

\`\`\`yaml
listen: [https://*:443]
tls:
  certificates:                   # beside those of \`slipstream tls add\`
    - { host: [shop.example, '*.shop.example'], cert: shop.pem, key: shop.key }
  clients:                        # who is asked for a certificate: off, request, require
    - { listen: 'https://*:443', certificates: request, trust: authorities/, revocationLists: [list.crl] }
  listeners:                      # what differs there: minVersion, maxVersion, ciphers, curves, http2
    - { listen: 'https://*:443', minVersion: TLSv1.3 }
  hosts:                          # who wants clients on https
    - { host: shop.example, redirect: true, hsts: max-age=31536000; includeSubDomains }
\`\`\`

Without \`host\` a certificate is shown for the names in it; \`*\` is for everybody else. Without \`listen\` a row of
\`clients\` holds for all https listeners. In \`hosts\`, \`redirect\` answers plain requests with 308: \`true\` leads to
the first https listener, a number to that port; \`hsts\` (\`true\` is a year) is said over TLS only. Both are off by
default; \`host\` is \`*\` without one, \`listen\` keeps a row to one listener and comes before those for all. Never
redirected: the debugger, \`/.well-known/acme-challenge/\`, what came to a trusted proxy over https.

Files are read again when they change. \`tls\` may also be just the list of certificates.`;

function code(text: string): string {
  return `\`${text}\``;
}

function defaultText(row: SettingRow): string {
  switch (row.type) {
    case 'integer':
    case 'boolean':
      return code(String(row.default));
    case 'string':
    case 'choice':
      return row.default === '' ? 'empty' : code(row.default);
    case 'strings':
      return row.default.length === 0 ? 'none' : row.default.map(code).join(', ');
    case 'map': {
      const pairs = Object.entries(row.default);
      if (pairs.length === 0) return 'none';
      return pairs.map(([name, value]) => code(`${name}: ${value}`)).join(', ');
    }
  }
}

function rangeText(row: SettingRow): string {
  switch (row.type) {
    case 'integer': {
      const isOpen = row.max === Number.MAX_SAFE_INTEGER;
      return isOpen ? `from ${row.min} ${row.unit}` : `${row.min} to ${row.max} ${row.unit}`;
    }
    case 'boolean':
      return '`true`, `false`';
    case 'string':
      return 'text';
    case 'strings':
      return 'list of texts';
    case 'choice':
      return row.choices.map(code).join(', ');
    case 'map':
      return 'map of texts';
  }
}

/** A table of settings as Markdown. */
export function settingsTable(table: SettingTable): string {
  const rows = Object.entries(table).map(([name, row]) => {
    const text = row.text.replaceAll('|', '\\|');
    return `| ${code(name)} | ${defaultText(row)} | ${rangeText(row)} | ${text} |`;
  });
  return ['| setting | default | values | what it does |', '|---|---|---|---|', ...rows, ''].join('\n');
}

/** The whole page. */
export function settingsPage(): string {
  const sections: [string, SettingTable][] = [
    ['## The host (top level)', HOST_SETTINGS],
    ['## Limits of the front (`limits`)', FRONT_LIMITS],
    [TLS_HEAD, TLS_SETTINGS],
    ['## An app (`defaults`, `apps`)', APP_SETTINGS],
  ];
  return [HEAD, ...sections.map(([title, table]) => `${title}\n\n${settingsTable(table)}`)].join('\n');
}
