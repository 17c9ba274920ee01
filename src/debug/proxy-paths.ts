// What a request to the session proxy names, below any of the paths that mean its debugger. Pure.

/** What follows the base path, or null. Prefixes are compared without regard to case, as routes are. */
export function nameBelow(path: string, bases: readonly string[]): string | null {
  const lower = path.toLowerCase();
  for (const base of bases) {
    if (lower.startsWith(base.toLowerCase())) return path.slice(base.length);
  }
  const plain = decoded(path);
  if (plain === null) return null;
  for (const base of bases) {
    const plainBase = decoded(base) ?? base;
    if (plain.toLowerCase().startsWith(plainBase.toLowerCase())) return plain.slice(plainBase.length);
  }
  return null;
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    // Malformed escapes match no path of ours.
    return null;
  }
}
