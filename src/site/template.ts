// `public{REQUEST_URI}`, `{R:1}`, `{ToLower:{C:2}}`: the texts of rewrite rules with what stands in braces put in.

import type { RewriteMap } from '../wire/site-messages.ts';

/** What the latest patterns found: R:n and C:n. */
export interface Captures {
  rule: readonly string[];
  conditions: readonly string[];
}

/** The value of a server variable, by its name in upper case; undefined: there is none. */
export type Variables = (name: string) => string | undefined;

const DEPTH_MAX = 8;
const LENGTH_MAX = 65_536;

/** Puts values in. What is not known is empty, as on IIS; what has no end stays as it is. */
export function expandTemplate(
  template: string,
  captures: Captures,
  variables: Variables,
  maps: Readonly<Record<string, RewriteMap>>,
  depth = 0,
): string {
  if (depth > DEPTH_MAX || !template.includes('{')) return template;
  let text = '';
  let at = 0;
  while (at < template.length && text.length < LENGTH_MAX) {
    const start = template.indexOf('{', at);
    const end = start === -1 ? -1 : closingBrace(template, start);
    if (end === -1) break;
    const inner = expandTemplate(template.slice(start + 1, end), captures, variables, maps, depth + 1);
    text += template.slice(at, start) + valueOf(inner, captures, variables, maps);
    at = end + 1;
  }
  return (text + template.slice(at)).slice(0, LENGTH_MAX);
}

function closingBrace(text: string, start: number): number {
  let depth = 0;
  for (let index = start; index < text.length; index++) {
    if (text[index] === '{') depth += 1;
    else if (text[index] === '}' && --depth === 0) return index;
  }
  return -1;
}

function valueOf(
  inner: string,
  captures: Captures,
  variables: Variables,
  maps: Readonly<Record<string, RewriteMap>>,
): string {
  const reference = /^([RC]):(\d)$/.exec(inner);
  if (reference !== null) {
    const list = reference[1] === 'R' ? captures.rule : captures.conditions;
    return list[Number(reference[2])] ?? '';
  }
  const colon = inner.indexOf(':');
  if (colon === -1) return variables(inner.toUpperCase()) ?? '';
  const name = inner.slice(0, colon).toLowerCase();
  const argument = inner.slice(colon + 1);
  const map = Object.hasOwn(maps, name) ? maps[name]! : undefined;
  if (map !== undefined) {
    const key = argument.toLowerCase();
    return Object.hasOwn(map.entries, key) ? map.entries[key]! : map.defaultValue;
  }
  switch (name) {
    case 'tolower':
      return argument.toLowerCase();
    case 'toupper':
      return argument.toUpperCase();
    case 'urlencode':
      return encodeURIComponent(argument.replace(/\p{Surrogate}/gu, '\uFFFD'));
    case 'urldecode':
      return decodedText(argument);
    default:
      return '';
  }
}

function decodedText(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
