// The <rewrite> section of a web.config -> rules that a site applies. What means nothing here is named.

import { HostError } from '../base/host-error.ts';
import type {
  RewriteAction, RewriteCondition, RewriteMap, RewriteRule, TextPattern,
} from '../wire/site-messages.ts';
import { childNamed, flagOf, textOf, type XmlElement } from './xml.ts';

const RULES_MAX = 500;
const PATTERN_CHARACTERS_MAX = 4096;

const REDIRECTS: Readonly<Record<string, number>> = { permanent: 301, found: 302, seeother: 303, temporary: 307 };

/** What the section says. */
export interface RewriteSection {
  rules: RewriteRule[];
  maps: Record<string, RewriteMap>;
  /** What is not applied, and why. */
  ignored: { name: string; line: number; text: string }[];
}

/** Reads a <rewrite>. `file` is for messages. @throws HostError CONFIG_INVALID: file, line, what is wrong. */
export function readRewrite(section: XmlElement, file: string): RewriteSection {
  const found: RewriteSection = { rules: [], maps: {}, ignored: [] };
  for (const child of section.children) {
    switch (child.name.toLowerCase()) {
      case 'rules':
        for (const rule of child.children) readRule(rule, file, found);
        break;
      case 'rewritemaps':
        for (const map of child.children) readMap(map, found);
        break;
      case 'outboundrules':
        found.ignored.push({ name: 'outboundRules', line: child.line, text: 'answers of the app go out as they are' });
        break;
      default:
        found.ignored.push({ name: child.name, line: child.line, text: 'only rules and rewriteMaps are applied' });
    }
  }
  if (found.rules.length > RULES_MAX) {
    throw new HostError('CONFIG_INVALID', `${file}:${section.line}: <rewrite> has more than ${RULES_MAX} rules`);
  }
  return found;
}

function readMap(map: XmlElement, found: RewriteSection): void {
  if (map.name.toLowerCase() !== 'rewritemap') return;
  const entries: [string, string][] = map.children
    .filter(({ name }) => name.toLowerCase() === 'add')
    .map((add) => [textOf(add, 'key').toLowerCase(), textOf(add, 'value')]);
  found.maps[textOf(map, 'name').toLowerCase()] = {
    defaultValue: textOf(map, 'defaultValue'),
    entries: Object.fromEntries(entries),
  };
}

function readRule(rule: XmlElement, file: string, found: RewriteSection): void {
  const kind = rule.name.toLowerCase();
  if (kind === 'clear') found.rules.length = 0;
  if (kind === 'remove') found.rules = found.rules.filter(({ name }) => name !== textOf(rule, 'name'));
  if (kind !== 'rule' || !flagOf(rule, 'enabled', true, file)) return;
  const syntax = textOf(rule, 'patternSyntax').toLowerCase();
  const match = childNamed(rule, 'match');
  const conditions = childNamed(rule, 'conditions');
  const name = textOf(rule, 'name') || `line ${rule.line}`;
  const pattern = (element: XmlElement | undefined, attribute: string): TextPattern =>
    readPattern(element, attribute, syntax, file);
  found.rules.push({
    name,
    match: pattern(match, 'url'),
    conditions: (conditions?.children ?? [])
      .filter((one) => one.name.toLowerCase() === 'add')
      .map((one) => readCondition(one, file, () => pattern(one, 'pattern'))),
    isAny: conditions !== undefined && textOf(conditions, 'logicalGrouping').toLowerCase() === 'matchany',
    tracksAllCaptures: conditions !== undefined && flagOf(conditions, 'trackAllCaptures', false, file),
    action: readAction(childNamed(rule, 'action'), file),
    stops: flagOf(rule, 'stopProcessing', false, file),
    fields: readFields(childNamed(rule, 'serverVariables'), found),
  });
}

function readPattern(element: XmlElement | undefined, attribute: string, syntax: string, file: string): TextPattern {
  const text = element === undefined ? '' : textOf(element, attribute);
  const isExact = syntax === 'wildcard' || syntax === 'exactmatch';
  const literal = text.replace(/[.+?^${}()|[\]\\]/g, '\\$&');
  const plain = syntax === 'wildcard' ? literal.replaceAll('*', '(.*)') : literal.replaceAll('*', '\\*');
  const source = isExact && element !== undefined ? `^${plain}$` : text;
  const place = `${file}:${element?.line ?? 1}`;
  if (source.length > PATTERN_CHARACTERS_MAX) {
    throw new HostError('CONFIG_INVALID', `${place}: a pattern of more than ${PATTERN_CHARACTERS_MAX} characters`);
  }
  try {
    new RegExp(source);
  } catch (error) {
    const message = `${place}: "${attribute}" is ${JSON.stringify(text)}, which is no regular expression`;
    throw new HostError('CONFIG_INVALID', message, { cause: error });
  }
  return {
    source,
    ignoreCase: element === undefined || flagOf(element, 'ignoreCase', true, file),
    negate: element !== undefined && flagOf(element, 'negate', false, file),
  };
}

function readCondition(element: XmlElement, file: string, pattern: () => TextPattern): RewriteCondition {
  const input = textOf(element, 'input');
  const negate = flagOf(element, 'negate', false, file);
  const type = textOf(element, 'matchType').toLowerCase();
  if (type === 'isfile') return { kind: 'file', input, negate };
  if (type === 'isdirectory') return { kind: 'folder', input, negate };
  if (type === '' || type === 'pattern') return { kind: 'pattern', input, pattern: pattern() };
  const message = `${file}:${element.line}: "matchType" is ${JSON.stringify(textOf(element, 'matchType'))}, expected `;
  throw new HostError('CONFIG_INVALID', `${message}Pattern, IsFile or IsDirectory`);
}

function readAction(element: XmlElement | undefined, file: string): RewriteAction {
  if (element === undefined) return { kind: 'none' };
  const place = `${file}:${element.line}`;
  const appendsQuery = flagOf(element, 'appendQueryString', true, file);
  switch (textOf(element, 'type').toLowerCase()) {
    case '':
    case 'none':
      return { kind: 'none' };
    case 'rewrite':
      return { kind: 'rewrite', url: textOf(element, 'url'), appendsQuery };
    case 'redirect': {
      const type = textOf(element, 'redirectType') || 'Permanent';
      const status = REDIRECTS[type.toLowerCase()] ?? (/^30[12378]$/.test(type) ? Number(type) : undefined);
      if (status !== undefined) return { kind: 'redirect', url: textOf(element, 'url'), appendsQuery, status };
      const bad = `${place}: "redirectType" is ${JSON.stringify(type)}`;
      throw new HostError('CONFIG_INVALID', `${bad}, expected Permanent, Found, SeeOther or Temporary`);
    }
    case 'customresponse': {
      const status = Number(textOf(element, 'statusCode'));
      if (!Number.isInteger(status) || status < 200 || status > 599) {
        const shown = JSON.stringify(textOf(element, 'statusCode'));
        throw new HostError('CONFIG_INVALID', `${place}: "statusCode" is ${shown}, expected 200 to 599`);
      }
      const subStatus = Number(textOf(element, 'subStatusCode')) || 0;
      const description = textOf(element, 'statusDescription');
      return { kind: 'respond', status, subStatus, reason: textOf(element, 'statusReason'), description };
    }
    case 'abortrequest':
      return { kind: 'abort' };
    default: {
      const shown = JSON.stringify(textOf(element, 'type'));
      const expected = 'Rewrite, Redirect, CustomResponse, AbortRequest or None';
      throw new HostError('CONFIG_INVALID', `${place}: an action of type ${shown}, expected ${expected}`);
    }
  }
}

/** `HTTP_X_NAME` is the request field X-Name; other server variables cannot be set. */
function readFields(element: XmlElement | undefined, found: RewriteSection): string[] {
  const fields: string[] = [];
  for (const set of element?.children ?? []) {
    const name = /^HTTP_([A-Za-z0-9_]+)$/.exec(textOf(set, 'name'))?.[1]?.replaceAll('_', '-').toLowerCase();
    // What frames a message, and who is at the other end, is no rule's business.
    if (name !== undefined && !/^(?:host|connection|content-length|transfer-encoding|upgrade|expect)$/.test(name)) {
      fields.push(name, textOf(set, 'value'));
    } else {
      const text = 'only HTTP_* variables of request fields can be set';
      found.ignored.push({ name: `serverVariables ${textOf(set, 'name')}`, line: set.line, text });
    }
  }
  return fields;
}
