// What IIS itself did in a folder: handlers, default documents, static files, hidden segments, error pages and
// rewrite rules of its web.config -> a site.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createGlob } from '../base/glob.ts';
import type { Site, SiteHandler } from '../wire/site-messages.ts';
import { readRewrite } from './rewrite-rules.ts';
import { flagOf, textOf, type XmlElement } from './xml.ts';

/** A site that does not know its place yet. */
export type SiteDraft = Omit<Site, 'path' | 'folder' | 'stamp'>;

/** What was found, with its place. */
export interface SectionNote {
  name: string;
  place: string;
  verdict: 'used' | 'ignored';
  text: string;
}

/** A handler of the module iisnode. */
export interface HandlerRow {
  name: string;
  /** A script, or a pattern of some; with "/". */
  path: string;
  methods: string[];
  place: string;
}

/** What the sections say so far. */
export interface SiteSections {
  handlers: HandlerRow[];
  draft: SiteDraft;
  notes: SectionNote[];
}

const DOCUMENTS = ['Default.htm', 'Default.asp', 'index.htm', 'index.html', 'iisstart.htm', 'default.aspx'];

/** As on IIS; `<hiddenSegments>` changes them. */
const HIDDEN = [
  'bin', 'app_code', 'app_globalresources', 'app_localresources', 'app_webreferences', 'app_data', 'app_browsers',
  'node_modules',
];
/** Files that say how an app is run. Nothing makes them public. */
const HIDDEN_ALWAYS = [
  'web.config', 'iisnode.yml', 'slipstream.yml', 'slipstream.yaml', 'package.json', 'package-lock.json',
  'npm-shrinkwrap.json', 'app_offline.htm',
];

/** A pattern runs so many scripts at most. */
const SCRIPTS_MAX = 64;
const SCRIPT_ENDINGS = /\.(?:[cm]?js|[cm]?ts)$/i;

/** Sections of which nothing is said yet. */
export function emptySections(): SiteSections {
  return {
    handlers: [],
    notes: [],
    draft: {
      watched: ['web.config'],
      handlers: [],
      documents: [...DOCUMENTS],
      rules: [],
      rewriteMaps: {},
      mediaTypes: {},
      cacheControl: '',
      hiddenSegments: [...HIDDEN, ...HIDDEN_ALWAYS],
      hiddenPaths: [],
      deniedExtensions: [],
      errorPages: {},
    },
  };
}

const IGNORED: Readonly<Record<string, string>> = {
  websocket: 'WebSockets always work',
  directorybrowse: 'folders are not listed',
  urlcompression: 'the app compresses',
  httpcompression: 'the app compresses',
  httpprotocol: 'fields are set by the app',
  httpredirect: 'use a rewrite rule with a Redirect',
  modules: 'there are no modules',
  caching: 'see the settings cache…',
  tracing: 'see slipstream logs',
  serverruntime: 'see limits of the host',
};

/** Reads one section of <system.webServer>. @throws HostError CONFIG_INVALID */
export function readSection(section: XmlElement, file: string, found: SiteSections): void {
  const { draft } = found;
  const place = `${file}:${section.line}`;
  const used = (text: string): void => void found.notes.push({ name: section.name, place, verdict: 'used', text });
  const ignored = (name: string, line: number, text: string): void =>
    void found.notes.push({ name, place: `${file}:${line}`, verdict: 'ignored', text });
  const name = section.name.toLowerCase();
  switch (name) {
    case 'handlers':
      for (const handler of section.children) readHandler(handler, file, found);
      break;
    case 'defaultdocument':
      if (!flagOf(section, 'enabled', true, file)) draft.documents = [];
      else readDocuments(section, draft);
      used('what a folder answers');
      break;
    case 'rewrite': {
      const { rules, maps, ignored: rest } = readRewrite(section, file);
      draft.rules.push(...rules);
      Object.assign(draft.rewriteMaps, maps);
      used(rules.length === 1 ? '1 rule' : `${rules.length} rules`);
      for (const rule of rules) {
        if (rule.action.kind !== 'rewrite' || !/^https?:\/\//i.test(rule.action.url)) continue;
        ignored(`rule ${rule.name}`, section.line, 'leads to another server: 502; use backends of the host for that');
      }
      for (const { name: what, line, text } of rest) ignored(what, line, text);
      break;
    }
    case 'staticcontent':
      for (const child of section.children) readStatic(child, file, found);
      used('types and caching of files');
      break;
    case 'httperrors':
      readErrorPages(section, draft);
      used('pages for missing files; the answers of the app go out as they are');
      break;
    case 'security':
      for (const child of section.children) readSecurity(child, file, found);
      break;
    default:
      if (Object.hasOwn(IGNORED, name)) ignored(section.name, section.line, IGNORED[name]!);
  }
}

function readHandler(handler: XmlElement, file: string, found: SiteSections): void {
  const kind = handler.name.toLowerCase();
  const place = `${file}:${handler.line}`;
  if (kind === 'clear') found.handlers = [];
  if (kind === 'remove') found.handlers = found.handlers.filter(({ name }) => name !== textOf(handler, 'name'));
  if (kind !== 'add') return;
  const path = textOf(handler, 'path');
  const modules = textOf(handler, 'modules').split(',').map((name) => name.trim().toLowerCase());
  if (!modules.includes('iisnode')) {
    // Files are served without being told.
    if (modules.some((name) => /^(?:staticfile|defaultdocument|directorylisting)module$/.test(name))) return;
    const text = `"${textOf(handler, 'modules')}" is not there; files are served as such`;
    found.notes.push({ name: `handler ${path}`, place, verdict: 'ignored', text });
    return;
  }
  const verb = textOf(handler, 'verb');
  const methods = verb === '' || verb === '*' ? [] : verb.toUpperCase().split(',').map((one) => one.trim());
  const relative = path.replaceAll('\\', '/').replace(/^\.?\/+/, '');
  found.handlers.push({ name: textOf(handler, 'name'), path: relative, methods, place });
}

function readDocuments(section: XmlElement, draft: SiteDraft): void {
  const added: string[] = [];
  for (const files of section.children.filter(({ name }) => name.toLowerCase() === 'files')) {
    for (const child of files.children) {
      const value = textOf(child, 'value').replaceAll('\\', '/').replace(/^\/+/, '');
      const kind = child.name.toLowerCase();
      if (kind === 'clear') draft.documents = [];
      if (kind === 'remove') {
        draft.documents = draft.documents.filter((one) => one.toLowerCase() !== value.toLowerCase());
      }
      if (kind === 'add' && value !== '') added.push(value);
    }
  }
  // What a folder adds comes before what it inherits.
  draft.documents = [...added, ...draft.documents.filter((one) => !added.includes(one))];
}

function readStatic(child: XmlElement, file: string, { draft, notes }: SiteSections): void {
  const extension = textOf(child, 'fileExtension').toLowerCase();
  switch (child.name.toLowerCase()) {
    case 'mimemap':
      draft.mediaTypes[extension] = textOf(child, 'mimeType');
      break;
    case 'remove':
      draft.mediaTypes[extension] = '';
      break;
    case 'clientcache': {
      const mode = textOf(child, 'cacheControlMode').toLowerCase();
      const parts = [textOf(child, 'cacheControlCustom')];
      if (mode === 'usemaxage') parts.push(`max-age=${secondsOf(textOf(child, 'cacheControlMaxAge'))}`);
      if (mode === 'disablecache') parts.push('no-cache');
      draft.cacheControl = parts.filter((part) => part !== '').join(', ');
      break;
    }
    default:
      notes.push({
        name: child.name, place: `${file}:${child.line}`, verdict: 'ignored', text: 'only types and clientCache count',
      });
  }
}

/** `7.00:00:00` in s; a day where nothing is said, as on IIS. */
function secondsOf(text: string): number {
  const match = /^(?:(\d+)\.)?(\d+):(\d+):(\d+)/.exec(text);
  if (match === null) return 86_400;
  const [, days = '0', hours, minutes, seconds] = match;
  return ((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds);
}

function readErrorPages(section: XmlElement, draft: SiteDraft): void {
  for (const child of section.children) {
    const status = textOf(child, 'statusCode');
    const kind = child.name.toLowerCase();
    if (kind === 'clear') draft.errorPages = {};
    if (kind === 'remove') delete draft.errorPages[status];
    const path = textOf(child, 'path').replaceAll('\\', '/');
    if (kind !== 'error' || path === '' || !/^[45]\d\d$/.test(status)) continue;
    const mode = textOf(child, 'responseMode').toLowerCase();
    const page = mode === 'redirect' ? 'redirect' : mode === 'executeurl' ? 'url' : 'file';
    draft.errorPages[status] = { kind: page, path };
  }
}

function readSecurity(child: XmlElement, file: string, { draft, notes }: SiteSections): void {
  const ignored = (element: XmlElement, text: string): void =>
    void notes.push({ name: element.name, place: `${file}:${element.line}`, verdict: 'ignored', text });
  if (child.name.toLowerCase() !== 'requestfiltering') {
    ignored(child, 'who may see what is for the app to decide');
    return;
  }
  for (const list of child.children) {
    const name = list.name.toLowerCase();
    if (name !== 'hiddensegments' && name !== 'fileextensions') {
      ignored(list, 'see limits of the host');
      continue;
    }
    for (const entry of list.children) {
      const kind = entry.name.toLowerCase();
      if (name === 'hiddensegments') changeHidden(draft, kind, textOf(entry, 'segment').toLowerCase());
      else if (kind === 'add' && !flagOf(entry, 'allowed', true, file)) {
        draft.deniedExtensions.push(textOf(entry, 'fileExtension').toLowerCase());
      }
    }
    notes.push({ name: list.name, place: `${file}:${list.line}`, verdict: 'used', text: 'what is not served' });
  }
}

function changeHidden(draft: SiteDraft, kind: string, segment: string): void {
  if (kind === 'add' && segment !== '') draft.hiddenSegments.push(segment);
  if (kind === 'clear') draft.hiddenSegments = [...HIDDEN_ALWAYS];
  if (kind === 'remove' && !HIDDEN_ALWAYS.includes(segment)) {
    draft.hiddenSegments = draft.hiddenSegments.filter((one) => one !== segment);
  }
}

/** The handlers with the scripts that are there now, in the spelling of the disk. */
export function findScripts(folder: string, rows: readonly HandlerRow[]): SiteHandler[] {
  return rows.map(({ path, methods }) => {
    if (path.split('/').includes('..')) return { scripts: [], pattern: path, methods };
    const slash = path.lastIndexOf('/');
    const [base, pattern] = [path.slice(0, slash + 1), path.slice(slash + 1)];
    const isPattern = /[*?]/.test(pattern);
    const fits = createGlob(pattern.toLowerCase());
    const names = filesOf(join(folder, base)).filter((name) => fits(name.toLowerCase()));
    const scripts = isPattern ? names.filter((name) => SCRIPT_ENDINGS.test(name)) : exactFirst(names, pattern);
    return {
      scripts: scripts.slice(0, SCRIPTS_MAX).map((name) => base + name),
      pattern: path,
      methods,
    };
  });
}

/** Where a file system tells upper from lower case there may be two; the one that was written counts. */
function exactFirst(names: readonly string[], written: string): string[] {
  return names.includes(written) ? [written] : names.slice(0, 1);
}

function filesOf(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory() && !entry.name.startsWith('.'))
      .map(({ name }) => name)
      .toSorted();
  } catch (error) {
    if (typeof (error as NodeJS.ErrnoException).code !== 'string') throw error;
    return [];
  }
}
