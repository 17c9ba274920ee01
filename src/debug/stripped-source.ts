// TypeScript as it was written. Node 22 and later run .ts files with blanks in the place of types; V8 knows only
// that text, which is hard to read, while every other character stands where it stands in the file. An edit of what is
// shown is stripped as Node would.

import * as nodeModule from 'node:module';
import { messageOf } from '../base/host-error.ts';
import type { ReadSource } from './source-file.ts';

const TYPESCRIPT_FILE = /^file:.*\.[mc]?ts$/i;
/** Node ends such a script with its name. */
const APPENDED_NAME = /\n\n\/\/# sourceURL=[^\n]*$/;

/** True for URLs of scripts that may have been stripped of their types. */
export function mayBeStripped(url: string): boolean {
  return TYPESCRIPT_FILE.test(url);
}

/**
 * The text of the file at `url`, a script that V8 announced, when `executed` is that text with blanks in some
 * places; else, as after an edit of the file, `executed`.
 */
export async function writtenSource(url: string, executed: string, readSource: ReadSource): Promise<string> {
  const written = (await readSource(url))?.toString();
  if (written === undefined || !isStripped(executed, written)) return executed;
  return written;
}

/** What V8 is to get of an edited text. */
export type StrippedEdit =
  | { kind: 'text'; text: string }
  | { kind: 'bad'; reason: string } // It has an error, as V8 would say of JavaScript.
  | { kind: 'unable' }; // The Node of the session proxy cannot strip types.

/** `written`, an edit of a script that was stripped of its types and is `executed` now, without them. */
export function strippedEdit(written: string, executed: string, module: object = nodeModule): StrippedEdit {
  const { stripTypeScriptTypes: strip } = module as { stripTypeScriptTypes?: (code: string) => string };
  if (strip === undefined) return { kind: 'unable' };
  const { emitWarning } = process;
  // Each use of it would say on stderr of the host that it is new.
  process.emitWarning = () => {};
  try {
    // V8 takes no change of the outermost code of a module, the name at its end included.
    return { kind: 'text', text: strip(written) + (APPENDED_NAME.exec(executed)?.[0] ?? '') };
  } catch (error) {
    return { kind: 'bad', reason: messageOf(error) };
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** Whether each character of `executed` is the one of `written`, or a blank or semicolon in its place. */
function isStripped(executed: string, written: string): boolean {
  const code = executed.replace(APPENDED_NAME, '');
  if (code.length > written.length || written.slice(code.length).trim() !== '') return false;
  for (let index = 0; index < code.length; index++) {
    if (code[index] !== written[index] && !/[\s;]/.test(code[index]!)) return false;
  }
  return true;
}
