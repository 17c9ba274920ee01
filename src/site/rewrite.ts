// The rules of <rewrite> for one request: which path it means, or what it is answered with. Pure but for the
// look at the disk that it is handed. Runs patterns of the configuration on what clients send: a pattern that
// takes for ever holds the process up, so this runs in a process of its own.

import type {
  RewriteAction, RewriteCondition, RewriteMap, RewriteRule, TextPattern,
} from '../wire/site-messages.ts';
import { expandTemplate, type Captures, type Variables } from './template.ts';

/** What rules look at. */
export interface RewriteInput {
  /** The path of the site, with a slash at both ends. */
  sitePath: string;
  /** Percent-encoded, below the site, without its first slash; it changes from rule to rule. */
  path: string;
  /** With its "?", or empty. */
  query: string;
  /** By name; the current path and query are laid over it. */
  variables: Variables;
  rewriteMaps: Readonly<Record<string, RewriteMap>>;
  /** Whether there is such a file or folder below the site. `path` is a path of the disk. */
  disk: { isFile(path: string): boolean; isFolder(path: string): boolean; pathOf(decoded: string): string };
}

export type RewriteOutcome =
  /** `isRewritten`: by some rule. `path` as in the input; with a leading slash it is not below the site. */
  | { kind: 'path'; path: string; query: string; isRewritten: boolean; fields: string[] }
  | { kind: 'redirect'; status: number; location: string }
  | { kind: 'respond'; status: number; reason: string; description: string }
  | { kind: 'abort' }
  /** A rule leads to another server. */
  | { kind: 'foreign'; rule: string };

interface State {
  path: string;
  query: string;
  isRewritten: boolean;
  fields: string[];
}

const patterns = new Map<string, RegExp>();
/** Patterns of all sites together; more are only ever there after many edits. */
const PATTERNS_MAX = 2000;

function compiled({ source, ignoreCase }: TextPattern): RegExp {
  const key = `${ignoreCase ? 'i' : ''}/${source}`;
  let pattern = patterns.get(key);
  if (pattern === undefined) {
    if (patterns.size >= PATTERNS_MAX) patterns.clear();
    pattern = new RegExp(source, ignoreCase ? 'i' : '');
    patterns.set(key, pattern);
  }
  return pattern;
}

/** The captures, or null where it does not fit. A negated pattern captures nothing. */
function capturesOf(pattern: TextPattern, text: string): string[] | null {
  const found = compiled(pattern).exec(text);
  if (pattern.negate) return found === null ? [] : null;
  return found === null ? null : found.map((one) => one ?? '');
}

/** Percent-decoded where that gives text; else as it is. */
export function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** Applies the rules in their order. */
export function rewrite(rules: readonly RewriteRule[], input: RewriteInput): RewriteOutcome {
  const state: State = { path: input.path, query: input.query, isRewritten: false, fields: [] };
  for (const rule of rules) {
    // Rules are matched below the site only.
    if (state.path.startsWith('/')) break;
    const rewritten = capturesOf(rule.match, decoded(state.path));
    if (rewritten === null) continue;
    const captures: Captures = { rule: rewritten, conditions: [] };
    if (!meets(rule, captures, input, state)) continue;
    const variables = variablesOf(input, state);
    const expand = (text: string): string => expandTemplate(text, captures, variables, input.rewriteMaps);
    for (let index = 0; index < rule.fields.length; index += 2) {
      state.fields.push(rule.fields[index]!, expand(rule.fields[index + 1]!));
    }
    const outcome = act(rule.action, expand, input, state);
    if (outcome === 'foreign') return { kind: 'foreign', rule: rule.name };
    if (outcome !== null) return outcome;
    if (rule.stops) break;
  }
  return { kind: 'path', ...state };
}

/** The server variables with those that follow the rewritten URL. */
function variablesOf({ variables, sitePath, disk }: RewriteInput, { path, query }: State): Variables {
  const whole = path.startsWith('/') ? path : sitePath + path;
  return (name) => {
    switch (name) {
      case 'URL':
      case 'PATH_INFO':
      case 'SCRIPT_NAME':
        return decoded(whole);
      case 'QUERY_STRING':
        return query.replace(/^\?/, '');
      case 'REQUEST_FILENAME':
      case 'PATH_TRANSLATED':
      case 'SCRIPT_FILENAME':
        return path.startsWith('/') ? '' : disk.pathOf(decoded(path));
      default:
        return variables(name);
    }
  };
}

function meets(rule: RewriteRule, captures: Captures, input: RewriteInput, state: State): boolean {
  if (rule.conditions.length === 0) return true;
  const variables = variablesOf(input, state);
  for (const condition of rule.conditions) {
    const text = expandTemplate(condition.input, captures, variables, input.rewriteMaps);
    const found = holds(condition, text, input);
    if (found === null) {
      if (!rule.isAny) return false;
      continue;
    }
    if (found.length > 0) captures.conditions = rule.tracksAllCaptures ? [...captures.conditions, ...found] : found;
    if (rule.isAny) return true;
  }
  return !rule.isAny;
}

/** Its captures, or null where it does not hold. */
function holds(condition: RewriteCondition, text: string, { disk }: RewriteInput): string[] | null {
  if (condition.kind === 'pattern') return capturesOf(condition.pattern, text);
  const isThere = condition.kind === 'file' ? disk.isFile(text) : disk.isFolder(text);
  return isThere === condition.negate ? null : [];
}

function act(
  action: RewriteAction,
  expand: (text: string) => string,
  input: RewriteInput,
  state: State,
): RewriteOutcome | 'foreign' | null {
  switch (action.kind) {
    case 'none':
      return null;
    case 'abort':
      return { kind: 'abort' };
    case 'respond':
      return {
        kind: 'respond', status: action.status, reason: expand(action.reason), description: expand(action.description),
      };
    case 'redirect': {
      const location = joined(expand(action.url), state.query, action.appendsQuery);
      return { kind: 'redirect', status: action.status, location: absolute(location, input.sitePath) };
    }
    case 'rewrite': {
      const url = joined(expand(action.url), state.query, action.appendsQuery);
      if (/^[a-z][a-z0-9+.-]*:\/\//i.test(url)) return 'foreign';
      const [path = '', ...rest] = url.split('?');
      const { sitePath } = input;
      const slashed = path.replaceAll('\\', '/').replace(/\/{2,}/g, '/').replace(/^~\//, '');
      state.path = slashed.startsWith(sitePath) ? slashed.slice(sitePath.length) : slashed;
      state.query = rest.length === 0 ? '' : `?${rest.join('?')}`;
      state.isRewritten = true;
      return null;
    }
  }
}

function joined(url: string, query: string, appendsQuery: boolean): string {
  const own = query.replace(/^\?/, '');
  if (!appendsQuery || own === '') return url;
  return url.includes('?') ? `${url}&${own}` : `${url}?${own}`;
}

/** A Location: URLs stay, paths are those of the site. What could end the field is encoded. */
function absolute(location: string, sitePath: string): string {
  const whole = location.replace(/\p{Surrogate}/gu, '\uFFFD');
  const safe = whole.replace(/[^\x21-\x7e]/gu, (character) => encodeURIComponent(character));
  if (/^(?:[a-z][a-z0-9+.-]*:|\/)/i.test(safe)) return safe;
  return sitePath + safe.replace(/^~\//, '');
}
