// Fields that the front adds to an answer that somebody else made: a cookie, Strict-Transport-Security. Of a field
// that an answer has already, the answer's own counts; cookies stand side by side.

const COOKIE = 'set-cookie';

/** The fields of a response and those that are added. */
export function withAdded(fields: readonly string[], added: readonly string[]): string[] {
  const all = [...fields];
  for (let index = 0; index < added.length; index += 2) {
    const name = added[index]!.toLowerCase();
    if (name === COOKIE || !hasField(fields, name)) all.push(added[index]!, added[index + 1]!);
  }
  return all;
}

function hasField(fields: readonly string[], name: string): boolean {
  for (let index = 0; index < fields.length; index += 2) {
    if (fields[index]!.length === name.length && fields[index]!.toLowerCase() === name) return true;
  }
  return false;
}

/** Fields that are to be added, and more of them: a request may be routed again, and then the later word counts. */
export function addedAnew(before: readonly string[], more: readonly string[]): readonly string[] {
  if (before.length === 0) return more;
  const later = new Set<string>();
  for (let index = 0; index < more.length; index += 2) later.add(identity(more[index]!, more[index + 1]!));
  const kept: string[] = [];
  for (let index = 0; index < before.length; index += 2) {
    const [name, value] = [before[index]!, before[index + 1]!];
    if (!later.has(identity(name, value))) kept.push(name, value);
  }
  return [...kept, ...more];
}

/** What a field is there once for: a cookie has a name of its own. */
function identity(name: string, value: string): string {
  const plain = name.toLowerCase();
  return plain === COOKIE ? `${plain} ${value.slice(0, value.indexOf('='))}` : plain;
}

/** What is added to a head that is written already, as lines. */
export function addedLines(head: string, added: readonly string[]): string {
  const lower = head.toLowerCase();
  let lines = '';
  for (let index = 0; index < added.length; index += 2) {
    const name = added[index]!;
    if (!lower.includes(`\r\n${name.toLowerCase()}:`)) lines += `${name}: ${added[index + 1]!}\r\n`;
  }
  return lines;
}
