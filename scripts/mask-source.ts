// Blanks comments, strings and regular expressions out of TypeScript, so that plain searches see code only.
// Every character keeps its place: offsets and lines in the masked text are those of the source.
// It is a scanner, not a parser: a slash is division after a value and starts a regular expression elsewhere.

const WORD_BEFORE_REGEX = /(?:^|[^\w$.])(?:return|typeof|case|in|of|do|else|void|delete|await|yield|throw)$/;

/** True when a slash after `code` (masked so far) starts a regular expression. */
function startsRegex(code: string): boolean {
  const before = code.slice(-40).trimEnd();
  const last = before.at(-1);
  if (last === undefined) return true;
  if (/[\w$]/.test(last)) return WORD_BEFORE_REGEX.test(before);
  return !/[)\]}'"`]/.test(last);
}

function endOfRegex(source: string, start: number): number {
  let isInClass = false;
  for (let at = start + 1; at < source.length; at++) {
    const character = source[at]!;
    if (character === '\n') return start + 1;
    if (character === '\\') at += 1;
    else if (character === '[') isInClass = true;
    else if (character === ']') isInClass = false;
    else if (character === '/' && !isInClass) {
      let end = at + 1;
      while (/[a-z]/.test(source[end] ?? '')) end += 1;
      return end;
    }
  }
  return source.length;
}

function endOfString(source: string, start: number): number {
  const quote = source[start]!;
  for (let at = start + 1; at < source.length; at++) {
    const character = source[at]!;
    if (character === '\\') at += 1;
    else if (character === quote || character === '\n') return at + 1;
  }
  return source.length;
}

/** Where the literal part of a template that starts at `start` ends: behind "`" or behind "${". */
function endOfTemplatePart(source: string, start: number): number {
  for (let at = start; at < source.length; at++) {
    if (source[at] === '\\') at += 1;
    else if (source[at] === '`') return at + 1;
    else if (source[at] === '$' && source[at + 1] === '{') return at + 2;
  }
  return source.length;
}

function blank(text: string): string {
  return text.replace(/[^\n]/g, ' ');
}

function endOfComment(source: string, start: number): number {
  const isLine = source[start + 1] === '/';
  const end = source.indexOf(isLine ? '\n' : '*/', start + 2);
  if (end === -1) return source.length;
  return isLine ? end : end + 2;
}

export interface MaskedSource {
  /** Code only: comments, strings and regular expressions are spaces; quotes of strings stay. */
  code: string;
  /** Code and strings: only comments are spaces. */
  codeAndStrings: string;
}

/** Masks a source. Unfinished literals end with the text; nothing is thrown. */
export function maskSource(source: string): MaskedSource {
  let code = '';
  let codeAndStrings = '';
  /** Depth of braces at which an interpolation of a template ends. */
  const templates: number[] = [];
  let depth = 0;
  let at = 0;

  function takeLiteral(end: number): void {
    const text = source.slice(at, end);
    code += text.length < 2 ? text : text[0] + blank(text.slice(1, -1)) + text.at(-1);
    codeAndStrings += text;
    at = end;
  }

  while (at < source.length) {
    const character = source[at]!;
    const next = source[at + 1];
    if (character === '/' && (next === '/' || next === '*')) {
      const end = endOfComment(source, at);
      code += blank(source.slice(at, end));
      codeAndStrings += blank(source.slice(at, end));
      at = end;
    } else if (character === "'" || character === '"') {
      takeLiteral(endOfString(source, at));
    } else if (character === '/' && startsRegex(code)) {
      takeLiteral(endOfRegex(source, at));
    } else if (character === '`') {
      const end = endOfTemplatePart(source, at + 1);
      if (source[end - 1] === '{') templates.push(depth++);
      takeLiteral(end);
    } else if (character === '}' && templates.at(-1) === depth - 1) {
      templates.pop();
      depth -= 1;
      const end = endOfTemplatePart(source, at + 1);
      if (source[end - 1] === '{') templates.push(depth++);
      takeLiteral(end);
    } else {
      if (character === '{') depth += 1;
      if (character === '}') depth -= 1;
      code += character;
      codeAndStrings += character;
      at += 1;
    }
  }
  return { code, codeAndStrings };
}
