// Rounds, medians and tables: how every benchmark turns runs into a page.

/** The middle value; of an even number of values the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The value that the share `fraction` of the values does not exceed. */
export function quantile(values: readonly number[], fraction: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? Number.NaN;
}

/**
 * Runs `measure` for every item in each round and collects the results of an item. The order turns by one
 * with each round, so that nobody always runs after the same neighbour.
 */
export async function interleave<Item, Result>(
  items: readonly Item[],
  rounds: number,
  measure: (item: Item, round: number) => Promise<Result>,
): Promise<Map<Item, Result[]>> {
  const results = new Map<Item, Result[]>(items.map((item) => [item, []]));
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < items.length; turn++) {
      const item = items[(round + turn) % items.length]!;
      results.get(item)!.push(await measure(item, round));
    }
  }
  return results;
}

/** A Markdown table. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line), ''].join('\n');
}

export interface Judgement {
  what: string;
  value: number;
  /** The budget. Absent: no budget, the value is shown only. */
  atMost?: number;
  atLeast?: number;
  unit?: string;
}

/** Values against their budgets, as Markdown. */
export function judgementTable(judgements: readonly Judgement[]): string {
  const rows = judgements.map(({ what, value, atMost, atLeast, unit = '' }) => {
    const digits = Math.abs(value) >= 100 ? 0 : 2;
    const isKept = (atMost === undefined || value <= atMost) && (atLeast === undefined || value >= atLeast);
    const bounds: string[] = [];
    if (atMost !== undefined) bounds.push(`≤ ${atMost}${unit}`);
    if (atLeast !== undefined) bounds.push(`≥ ${atLeast}${unit}`);
    const verdict = isKept ? 'kept' : 'missed';
    const [budget, result] = bounds.length === 0 ? ['–', '–'] : [bounds.join(', '), verdict];
    return [what, `${value.toFixed(digits)}${unit}`, budget, result];
  });
  return markdownTable(['what', 'measured', 'budget', ''], rows);
}

export interface BenchOptions {
  rounds: number;
  /** Length of one measurement, in s. */
  seconds: number;
}

/** A benchmark: runs, prints progress on stderr, returns Markdown. */
export type Benchmark = (options: BenchOptions) => Promise<string>;

/** Progress for who waits; not part of the page. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
