// The answers of several fronts as one, and one host's limits as the shares of several fronts. Pure.

import type { FrontLimits } from '../base/limits.ts';
import type { CacheAnswer, CacheCounts, CacheReport, CacheRow } from '../wire/cache-messages.ts';
import type { FrontReport, Group } from '../wire/front-messages.ts';

function addCounts(into: Partial<Record<string, number>>, more: Partial<Record<string, number>>): void {
  for (const [name, count] of Object.entries(more)) into[name] = (into[name] ?? 0) + (count ?? 0);
}

function mergeCounters(all: readonly CacheCounts[]): CacheCounts {
  const sums: Partial<Record<string, number>> = {};
  const refused: CacheCounts['refused'] = {};
  for (const { refused: reasons, ...counts } of all) {
    addCounts(sums, counts);
    addCounts(refused, reasons);
  }
  return { ...(sums as unknown as CacheCounts), refused };
}

function mergeCacheReports(all: readonly CacheReport[]): CacheReport {
  const sum = (of: (report: CacheReport) => number): number => all.reduce((total, one) => total + of(one), 0);
  return {
    bytes: sum(({ bytes }) => bytes),
    bytesMax: sum(({ bytesMax }) => bytesMax),
    entries: sum(({ entries }) => entries),
    counters: mergeCounters(all.map(({ counters }) => counters)),
  };
}

/** The numbers of all fronts; undefined without any. `pid` is that of the first. */
export function mergeReports(reports: readonly FrontReport[]): FrontReport | undefined {
  const [first, ...others] = reports;
  if (first === undefined || others.length === 0) return first;
  const merged: FrontReport = {
    pid: first.pid,
    connections: 0,
    requests: 0,
    waiting: {},
    active: {},
    served: {},
    cache: mergeCacheReports(reports.map(({ cache }) => cache)),
  };
  for (const report of reports) {
    merged.connections += report.connections;
    merged.requests += report.requests;
    addCounts(merged.waiting, report.waiting);
    addCounts(merged.active, report.active);
    addCounts(merged.served, report.served);
  }
  return merged;
}

/** One row for what several fronts keep: sizes and hits add up, the youngest age and the longest freshness. */
function mergeRows(rows: readonly CacheRow[]): CacheRow[] {
  const merged = new Map<string, CacheRow>();
  for (const row of rows) {
    const key = JSON.stringify([row.url, row.status, row.vary]);
    const other = merged.get(key);
    merged.set(key, other === undefined ? row : {
      ...row,
      bytes: row.bytes + other.bytes,
      hits: row.hits + other.hits,
      ageSeconds: Math.min(row.ageSeconds, other.ageSeconds),
      freshSeconds: Math.max(row.freshSeconds, other.freshSeconds),
      tags: [...new Set([...other.tags, ...row.tags])],
    });
  }
  return [...merged.values()];
}

/** What all fronts say of their caches; null when there is none. A purge is valid where each could do it. */
export function mergeCacheAnswers(answers: readonly CacheAnswer[]): CacheAnswer | null {
  const first = answers[0];
  if (first === undefined || answers.length === 1) return first ?? null;
  if (first.kind === 'purged') {
    return { kind: 'purged', isValid: answers.every((answer) => answer.kind === 'purged' && answer.isValid) };
  }
  const shown = answers.flatMap((answer) => (answer.kind === 'shown' ? [answer] : []));
  return {
    kind: 'shown',
    report: mergeCacheReports(shown.map(({ report }) => report)),
    rows: mergeRows(shown.flatMap(({ rows }) => rows)),
  };
}

/** What front `index` of `count` has of a limit that holds for all together. */
export function shareOf(limit: number, index: number, count: number): number {
  return Math.floor(limit / count) + (index < limit % count ? 1 : 0);
}

/**
 * The limits of one front. What bounds an app is split, so that it holds for all fronts together; each front may
 * give a process one request at least. What bounds connections and memory is each front's own.
 */
export function limitsOf(limits: FrontLimits, index: number, count: number): FrontLimits {
  if (count === 1) return limits;
  return {
    ...limits,
    queueMax: shareOf(limits.queueMax, index, count),
    concurrencyMax: Math.max(1, shareOf(limits.concurrencyMax, index, count)),
  };
}

/** The groups with the share of one front, as {@link limitsOf}. */
export function groupsOf(groups: Group[], index: number, count: number): Group[] {
  if (count === 1) return groups;
  return groups.map((group) => {
    const { concurrencyMax, queueMax } = group;
    if (concurrencyMax === undefined && queueMax === undefined) return group;
    return {
      ...group,
      ...(concurrencyMax !== undefined && { concurrencyMax: Math.max(1, shareOf(concurrencyMax, index, count)) }),
      ...(queueMax !== undefined && { queueMax: shareOf(queueMax, index, count) }),
    };
  });
}
