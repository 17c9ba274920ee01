// THIRD-PARTY-NOTICES.md: whose code is in the bundled debugger, by what esbuild put into it.

import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';

interface Notice {
  name: string;
  version: string;
  licence: string;
  url: string;
  text: string;
}

const NAME_LENGTH_MAX = 40;

/** The value of a line `Key: value` of a README.chromium; empty when there is none. */
export function readmeField(readme: string, key: string): string {
  return new RegExp(`^${key}:[ \\t]*(.*)$`, 'm').exec(readme)?.[1]?.trim() ?? '';
}

/** Folders of third_party that bytes of the output come from, sorted. */
export function thirdPartyFolders(metafile: Metafile): string[] {
  const folders = new Set<string>();
  for (const output of Object.values(metafile.outputs)) {
    for (const [input, { bytesInOutput }] of Object.entries(output.inputs)) {
      const folder = /front_end\/third_party\/([^/]+)\//.exec(input)?.[1];
      if (folder !== undefined && bytesInOutput > 0) folders.add(folder);
    }
  }
  return [...folders].sort();
}

function licenceText(folder: string, named: string): string {
  const candidates = [named, 'LICENSE', 'package/LICENSE', 'package/LICENSE.md'];
  const found = candidates.find((name) => name !== '' && existsSync(join(folder, name)));
  if (found === undefined) throw new Error(`no licence text in ${folder}: ${readdirSync(folder).join(', ')}`);
  return readFileSync(join(folder, found), 'utf8').trim();
}

function noticeOf(thirdParty: string, folder: string): Notice {
  const readme = readFileSync(join(thirdParty, folder, 'README.chromium'), 'utf8');
  const name = readmeField(readme, 'Name').replace(/,.*/, '');
  return {
    // A few tell a story instead of a name.
    name: name.length > NAME_LENGTH_MAX ? readmeField(readme, 'Short Name') || folder : name,
    version: readmeField(readme, 'Version'),
    licence: readmeField(readme, 'License'),
    url: readmeField(readme, 'URL'),
    text: licenceText(join(thirdParty, folder), readmeField(readme, 'License File')),
  };
}

function sectionOf(notice: Notice): string {
  const version = /^(?:N\/A|unknown)?$/i.test(notice.version) ? '' : ` ${notice.version}`;
  const origin = notice.url.startsWith('https:') ? `, <${notice.url}>` : '';
  const text = `\`\`\`\`text\n${notice.text}\n\`\`\`\``;
  return [`## ${notice.name}${version}`, `${notice.licence}${origin}`, text].join('\n\n');
}

/** The text of the page. `packageFolder` is that of chrome-devtools-frontend. */
export function thirdPartyNotices(packageFolder: string, metafile: Metafile): string {
  const thirdParty = join(packageFolder, 'front_end', 'third_party');
  const { version } = JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8')) as {
    version: string;
  };
  const devtools: Notice = {
    name: 'chrome-devtools-frontend',
    version,
    licence: 'BSD-3-Clause',
    url: 'https://github.com/ChromeDevTools/devtools-frontend',
    text: readFileSync(join(packageFolder, 'LICENSE'), 'utf8').trim(),
  };
  const notices = [devtools, ...thirdPartyFolders(metafile).map((folder) => noticeOf(thirdParty, folder))];
  const head = [
    '# Third-party notices',
    'The debugger page of Slipstream (`dist/devtools`) is bundled from the source of the projects below. ' +
      'CodeMirror 6 is itself a bundle of `@codemirror/*`, `@lezer/*`, `@replit/*` and `style-mod`, all MIT. ' +
      'This page is written by the build.',
  ];
  return `${[...head, ...notices.map(sectionOf)].join('\n\n')}\n`;
}
