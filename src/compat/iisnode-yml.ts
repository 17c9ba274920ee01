// iisnode.yml as its original reads it: one `key: value` a line, `#` begins a comment anywhere, quotes are part
// of the value, keys compare without case, unknown keys and empty values mean nothing.

import { HostError } from '../base/host-error.ts';

/** A line that sets something. */
export interface YmlEntry {
  key: string;
  value: string;
  line: number;
}

/** The entries of a file, in order. `file` is for messages. @throws HostError CONFIG_INVALID */
export function parseIisnodeYml(text: string, file: string): YmlEntry[] {
  const entries: YmlEntry[] = [];
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/);
  for (const [index, whole] of lines.entries()) {
    const bad = (what: string): HostError =>
      new HostError('CONFIG_INVALID', `${file}:${index + 1}: ${what}; expected "key: value"`);
    // Only spaces are whitespace to the original; a tab is part of what it stands in.
    const line = trimSpaces(whole.split('#', 1)[0]!);
    if (line === '') continue;
    const colon = line.indexOf(':');
    if (colon === -1) throw bad('a line without a colon');
    if (colon === 0) throw bad('a line that begins with a colon');
    const key = trimSpaces(line.slice(0, colon));
    if (key.includes(' ')) throw bad(`"${key}" is not one word`);
    const value = trimSpaces(line.slice(colon + 1));
    if (value !== '') entries.push({ key, value, line: index + 1 });
  }
  return entries;
}

function trimSpaces(text: string): string {
  return text.replace(/^ +| +$/g, '');
}
