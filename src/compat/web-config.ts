// web.config of a folder that ran under iisnode: its <iisnode> settings, handlers and <appSettings>. What IIS did
// with the rest is named, so that nobody wonders.

import { HostError } from '../base/host-error.ts';
import { nearestName } from '../base/setting.ts';
import { elementAt, parseXml, type XmlElement } from './xml.ts';
import { IISNODE_SETTINGS } from './iisnode-settings.ts';

/** A value as it stands in a file, by its lower-case name. */
export interface RawSetting {
  name: string;
  value: string;
  place: string;
}

export interface WebConfig {
  /** Attributes of `<iisnode>`. */
  settings: RawSetting[];
  /** Scripts that handlers name, in order. */
  scripts: { path: string; place: string }[];
  /** `<appSettings>`: variables of the app. */
  variables: RawSetting[];
  /** Elements without a meaning here. */
  ignored: { name: string; place: string; text: string }[];
}

const WEB_SERVER_IGNORED: Readonly<Record<string, string>> = {
  websocket: 'WebSockets always work',
  rewrite: 'all URLs below the app go to the app; its debugger needs no exclusion',
  defaultdocument: 'the URL of the folder goes to the app',
  httperrors: 'the answers of the app go out as they are',
  security: 'see limits of the host',
  staticcontent: 'files are served by the app',
  directorybrowse: 'files are served by the app',
  urlcompression: 'the app compresses',
  httpcompression: 'the app compresses',
  httpprotocol: 'fields are set by the app',
};

/**
 * Reads a web.config; undefined when nothing in it is about iisnode. `file` is for messages.
 * @throws HostError CONFIG_INVALID
 */
export function parseWebConfig(text: string, file: string): WebConfig | undefined {
  const root = parseXml(text, file);
  if (root.name !== 'configuration') {
    throw new HostError('CONFIG_INVALID', `${file}:${root.line}: <${root.name}>, expected <configuration>`);
  }
  const found: WebConfig = { settings: [], scripts: [], variables: [], ignored: [] };
  let isIisnode = readScope(root, file, found);
  for (const location of root.children.filter(({ name }) => name === 'location')) {
    const path = location.attributes.get('path')?.value ?? '.';
    if (path === '' || path === '.') isIisnode = readScope(location, file, found) || isIisnode;
    else {
      const place = `${file}:${location.line}`;
      const text = 'settings of one path below the app are not read; set them in slipstream.yml of the root';
      found.ignored.push({ name: `location ${path}`, place, text });
    }
  }
  return isIisnode ? found : undefined;
}

/** Reads what a `<configuration>` or a `<location>` holds. True when iisnode is meant. */
function readScope(scope: XmlElement, file: string, found: WebConfig): boolean {
  const webServer = elementAt(scope, 'system.webServer');
  const iisnode = webServer === undefined ? undefined : elementAt(webServer, 'iisnode');
  if (iisnode !== undefined) readIisnode(iisnode, file, found);
  const before = found.scripts.length;
  for (const child of webServer?.children ?? []) {
    const name = child.name.toLowerCase();
    const text = Object.hasOwn(WEB_SERVER_IGNORED, name) ? WEB_SERVER_IGNORED[name]! : undefined;
    if (name === 'handlers') readHandlers(child, file, found);
    else if (text !== undefined) found.ignored.push({ name: child.name, place: `${file}:${child.line}`, text });
  }
  for (const entry of elementAt(scope, 'appSettings')?.children ?? []) {
    const key = entry.attributes.get('key')?.value ?? '';
    if (entry.name !== 'add' || key === '') continue;
    const value = entry.attributes.get('value')?.value ?? '';
    found.variables.push({ name: key, value, place: `${file}:${entry.line}` });
  }
  return iisnode !== undefined || found.scripts.length > before;
}

function readIisnode(iisnode: XmlElement, file: string, found: WebConfig): void {
  for (const [name, { value, line }] of iisnode.attributes) {
    const place = `${file}:${line}`;
    if (!Object.hasOwn(IISNODE_SETTINGS, name.toLowerCase())) {
      const near = nearestName(name, Object.keys(IISNODE_SETTINGS));
      const hint = near === undefined ? '' : `; did you mean "${near}"?`;
      throw new HostError('CONFIG_INVALID', `${place}: <iisnode> has no setting "${name}"${hint}`);
    }
    found.settings.push({ name, value, place });
  }
}

function readHandlers(handlers: XmlElement, file: string, found: WebConfig): void {
  for (const handler of handlers.children) {
    const modules = handler.attributes.get('modules')?.value ?? '';
    const path = handler.attributes.get('path')?.value ?? '';
    if (handler.name !== 'add' || !modules.split(',').some((name) => name.trim().toLowerCase() === 'iisnode')) {
      continue;
    }
    const place = `${file}:${handler.line}`;
    if (/[*?]/.test(path)) {
      const text = 'a pattern names no script; the app is found by package.json or by the name of its file';
      found.ignored.push({ name: `handler ${path}`, place, text });
      found.scripts.push({ path: '', place });
    } else found.scripts.push({ path: path.replaceAll('\\', '/'), place });
  }
}
