// A file of settings in YAML -> the map that it holds, with the line of each key. What a file can cost is bounded: its
// length, its depth, and what its aliases stand for.

import { yaml } from './yaml.ts';
import { HostError, messageOf } from '../base/host-error.ts';
import type { Document, YAMLMap } from 'yaml';

/** Characters of a file; 20 000 apps with a line each. */
const CHARACTERS_MAX = 1_048_576;

/** The line of the key at a path, or of its nearest parent that is there. From 1. */
export type LineOf = (path: readonly string[]) => number;

export interface YamlMap {
  whole: Record<string, unknown>;
  lineOf: LineOf;
}

/**
 * The map that the text of `file` holds; undefined for an empty one.
 * @throws HostError CONFIG_INVALID; the message starts with file:line.
 */
export function readYamlMap(text: string, file: string): YamlMap | undefined {
  if (text.length > CHARACTERS_MAX) {
    throw invalid(file, 1, `a file of more than ${CHARACTERS_MAX} characters`);
  }
  const { LineCounter, isMap, parseDocument } = yaml();
  const lines = new LineCounter();
  // The parser's own look for keys that come twice takes time by the square of their number.
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: false });
  const problem = document.errors[0];
  if (problem !== undefined) {
    throw invalid(file, problem.linePos?.[0].line ?? 1, textOf(problem));
  }
  const { contents } = document;
  if (contents === null) return undefined;
  if (!isMap(contents)) throw invalid(file, 1, 'expected a map of settings');
  const keys = keysOfAll(document, (name, offset) => {
    throw invalid(file, lines.linePos(offset).line, `"${name}" is there twice`);
  });
  return {
    whole: valueOf(document, file),
    lineOf: (path) => lines.linePos(offsetOf(contents, path, keys) ?? 0).line,
  };
}

function invalid(file: string, line: number, text: string, cause?: unknown): HostError {
  return new HostError('CONFIG_INVALID', `${file}:${line}: ${text}`, { cause });
}

/** In words for those who write files, where the parser's are for programmers. */
function textOf({ code, message }: { code: string; message: string }): string {
  if (code === 'MULTIPLE_DOCS') return 'a second document ("---"); expected one';
  if (message.startsWith('Maximum call stack')) return 'maps or lists are nested too deeply';
  return message.split('\n')[0]!;
}

function valueOf(document: Document, file: string): Record<string, unknown> {
  try {
    return document.toJS() as Record<string, unknown>;
  } catch (error) {
    // Aliases that stand for too much.
    throw invalid(file, 1, messageOf(error), error);
  }
}

interface Key {
  /** Of its first character in the text. */
  offset: number;
  value: unknown;
}

type Keys = ReadonlyMap<YAMLMap, ReadonlyMap<string, Key>>;

/** The keys of all maps, each map looked through once: a file of many apps asks for the lines of all. */
function keysOfAll(document: Document, isTwice: (name: string, offset: number) => never): Keys {
  const { isScalar, visit } = yaml();
  const keys = new Map<YAMLMap, Map<string, Key>>();
  visit(document, {
    Map: (_, map) => {
      const own = new Map<string, Key>();
      for (const { key, value } of map.items) {
        if (!isScalar(key)) continue;
        const name = String(key.value);
        const offset = key.range?.[0] ?? 0;
        if (own.has(name)) isTwice(name, offset);
        own.set(name, { offset, value });
      }
      keys.set(map, own);
    },
  });
  return keys;
}

/** Of the key at `path`, or of its nearest parent that is there. */
function offsetOf(root: YAMLMap, path: readonly string[], keys: Keys): number | undefined {
  let node: unknown = root;
  let offset: number | undefined;
  for (const name of path) {
    const key = keys.get(node as YAMLMap)?.get(name);
    if (key === undefined) break;
    offset = key.offset;
    node = key.value;
  }
  return offset;
}
