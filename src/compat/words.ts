// A Windows command line -> its words.

/** Splits at spaces outside of double quotes; the quotes go. */
export function parseWords(line: string): string[] {
  return (line.match(/(?:[^\s"]|"[^"]*"?)+/g) ?? []).map((word) => word.replaceAll('"', ''));
}
