// Finding one cookie of a request. Nothing else of cookies is understood here.

/** Longest Cookie value that is searched. */
const COOKIE_LENGTH_MAX = 16_384;

/** The value of the first cookie of this name (RFC 6265 4.2.1), from flat fields. */
export function cookieOf(fields: readonly string[], name: string): string | undefined {
  for (let index = 0; index + 1 < fields.length; index += 2) {
    if (fields[index]!.length !== 6 || fields[index]!.toLowerCase() !== 'cookie') continue;
    const value = fields[index + 1]!;
    if (value.length > COOKIE_LENGTH_MAX) continue;
    for (const pair of value.split(';')) {
      const at = pair.indexOf('=');
      if (at !== -1 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim();
    }
  }
  return undefined;
}
