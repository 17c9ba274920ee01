// web.config of a folder that ran under iisnode: its <iisnode> settings and <appSettings>; what IIS did itself is
// read by web-site.ts.

import { HostError } from '../base/host-error.ts';
import { nearestName } from '../base/setting.ts';
import { elementAt, parseXml, type XmlElement } from './xml.ts';
import { IISNODE_SETTINGS } from './iisnode-settings.ts';
import { emptySections, readSection, type SiteSections } from './web-site.ts';

/** A value as it stands in a file, by its lower-case name. */
export interface RawSetting {
  name: string;
  value: string;
  place: string;
}

/** What a `<location>` says of one script. */
export interface ScriptScope {
  /** In lower case, with "/". */
  path: string;
  settings: RawSetting[];
  variables: RawSetting[];
}

export interface WebConfig {
  /** Attributes of `<iisnode>`. */
  settings: RawSetting[];
  /** `<appSettings>`: variables of the app. */
  variables: RawSetting[];
  /** What IIS did itself. */
  sections: SiteSections;
  scopes: ScriptScope[];
}

/**
 * Reads a web.config; undefined when nothing in it is about iisnode. `file` is for messages.
 * @throws HostError CONFIG_INVALID
 */
export function parseWebConfig(text: string, file: string): WebConfig | undefined {
  const root = parseXml(text, file);
  if (root.name !== 'configuration') {
    throw new HostError('CONFIG_INVALID', `${file}:${root.line}: <${root.name}>, expected <configuration>`);
  }
  const found: WebConfig = { settings: [], variables: [], sections: emptySections(), scopes: [] };
  let isIisnode = readScope(root, file, found);
  for (const location of root.children.filter(({ name }) => name === 'location')) {
    const path = (location.attributes.get('path')?.value ?? '.').replaceAll('\\', '/').replace(/^\/+|\/+$/g, '');
    if (path === '' || path === '.') isIisnode = readScope(location, file, found) || isIisnode;
    else readLocation(location, path, file, found);
  }
  return isIisnode || found.sections.handlers.length > 0 ? found : undefined;
}

/** Reads what a `<configuration>` or a `<location>` holds. True when iisnode is meant. */
function readScope(scope: XmlElement, file: string, found: WebConfig): boolean {
  const webServer = elementAt(scope, 'system.webServer');
  const iisnode = webServer === undefined ? undefined : elementAt(webServer, 'iisnode');
  if (iisnode !== undefined) found.settings.push(...readIisnode(iisnode, file));
  for (const child of webServer?.children ?? []) readSection(child, file, found.sections);
  found.variables.push(...readVariables(scope, file));
  return iisnode !== undefined;
}

/** Of one path below the folder only what concerns a script is read. */
function readLocation(location: XmlElement, path: string, file: string, found: WebConfig): void {
  const iisnode = elementAt(location, 'system.webServer', 'iisnode');
  found.scopes.push({
    path: path.toLowerCase(),
    settings: iisnode === undefined ? [] : readIisnode(iisnode, file),
    variables: readVariables(location, file),
  });
  for (const child of elementAt(location, 'system.webServer')?.children ?? []) {
    if (child.name.toLowerCase() === 'iisnode') continue;
    const text = 'of one path only the settings of a script are read; give the folder a web.config of its own';
    found.sections.notes.push({
      name: `${child.name} of ${path}`, place: `${file}:${child.line}`, verdict: 'ignored', text,
    });
  }
}

function readVariables(scope: XmlElement, file: string): RawSetting[] {
  return (elementAt(scope, 'appSettings')?.children ?? []).flatMap((entry) => {
    const key = entry.attributes.get('key')?.value ?? '';
    if (entry.name !== 'add' || key === '') return [];
    return [{ name: key, value: entry.attributes.get('value')?.value ?? '', place: `${file}:${entry.line}` }];
  });
}

function readIisnode(iisnode: XmlElement, file: string): RawSetting[] {
  return [...iisnode.attributes].map(([name, { value, line }]) => {
    const place = `${file}:${line}`;
    if (!Object.hasOwn(IISNODE_SETTINGS, name.toLowerCase())) {
      const near = nearestName(name, Object.keys(IISNODE_SETTINGS));
      const hint = near === undefined ? '' : `; did you mean "${near}"?`;
      throw new HostError('CONFIG_INVALID', `${place}: <iisnode> has no setting "${name}"${hint}`);
    }
    return { name, value, place };
  });
}
