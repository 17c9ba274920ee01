// Patterns of paths: `*` and `?` stand for characters of one name, `**` for folders. A match takes time by the product
// of both lengths at most, whatever the pattern: an app that brings one must not hold up the host (a RegExp could).

/** Fits `**` in the middle: no folder or some; as the last part: everything below. Both with "/". */
export function createGlob(glob: string): (path: string) => boolean {
  const parts = glob.split('/').map((part) => (part === '**' ? part : part.replace(/\*+/g, '*')));
  const last = parts.length - 1;
  // What is below has one name at least.
  if (parts[last] === '**') parts.push('*');
  return (path) => fitsAll(parts, path.split('/'), '**', fitsName);
}

function fitsName(pattern: string, name: string): boolean {
  return fitsAll([...pattern], [...name], '*', (one, character) => one === '?' || one === character);
}

/**
 * Whether a row of items fits a row of patterns, of which `many` stands for any number of items. Where something does
 * not fit, only the last `many` needs to take one item more: what an earlier one would take, that one can take too.
 */
function fitsAll(
  patterns: readonly string[],
  items: readonly string[],
  many: string,
  fits: (pattern: string, item: string) => boolean,
): boolean {
  let pattern = 0;
  let item = 0;
  let lastMany = -1;
  let takenBy = 0;
  while (item < items.length) {
    if (patterns[pattern] === many) {
      lastMany = pattern;
      takenBy = item;
      pattern += 1;
    } else if (pattern < patterns.length && fits(patterns[pattern]!, items[item]!)) {
      pattern += 1;
      item += 1;
    } else if (lastMany >= 0) {
      takenBy += 1;
      item = takenBy;
      pattern = lastMany + 1;
    } else {
      return false;
    }
  }
  while (patterns[pattern] === many) pattern += 1;
  return pattern === patterns.length;
}
