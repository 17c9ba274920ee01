// Request targets and rewritten paths -> names of files. What could leave the folder, or mean another file to
// another system, is no name.

import type { Site } from '../wire/site-messages.ts';

/** What of a path lies below a site. */
export interface PathBelow {
  /** Percent-encoded anew, without a leading slash; dot segments are gone. */
  path: string;
  /** The site itself was named, without its last slash. */
  isBare: boolean;
}

/** Decoded segments of an absolute path without dot segments; null: it cannot be decoded. */
export function segmentsOf(path: string): string[] | null {
  const segments: string[] = [];
  for (const part of path.split('/').slice(1)) {
    let segment: string;
    try {
      segment = decodeURIComponent(part);
    } catch {
      return null;
    }
    if (segment === '..') segments.pop();
    else if (segment !== '.') segments.push(segment);
  }
  return segments;
}

/** The part of a path below the site; null: it does not lie there. */
export function pathBelow(segments: readonly string[], site: Pick<Site, 'path'>): PathBelow | null {
  const base = segmentsOf(site.path)!.slice(0, -1);
  if (base.some((segment, index) => segments[index] !== segment)) return null;
  const path = segments.slice(base.length).map(encodeURIComponent).join('/');
  return { path, isBare: segments.length === base.length && base.length > 0 };
}

/** A segment that names one file on every system: no separator, stream, device or alias of another name. */
export function isPlainName(segment: string): boolean {
  // oxlint-disable-next-line no-control-regex
  return !/[\x00-\x1f\\/:*?"<>|]|[. ]$/.test(segment);
}

/** Names below the folder, or null where nothing may be served: see {@link Site.hiddenSegments}. */
export function fileNames(decodedPath: string, site: Site): string[] | null {
  const names = decodedPath.split('/').filter((name) => name !== '');
  for (const name of names) {
    const lower = name.toLowerCase();
    const isDotted = name.startsWith('.') && lower !== '.well-known';
    if (isDotted || !isPlainName(name) || site.hiddenSegments.includes(lower)) return null;
  }
  const path = `${names.join('/').toLowerCase()}/`;
  if (site.hiddenPaths.some((hidden) => path.startsWith(`${hidden}/`))) return null;
  return names;
}
