// A table of settings: each row says name, type, unit, default, range and meaning. Checking a value,
// and the page docs/settings.md, both come from the row, so they cannot disagree.

import { HostError } from './host-error.ts';

interface RowOf<Type extends string, Value> {
  type: Type;
  default: Value;
  /** What the setting does, in a sentence. */
  text: string;
}

/** A setting: its type decides which values fit. */
export type SettingRow =
  | (RowOf<'integer', number> & { min: number; max: number; unit: string })
  | RowOf<'boolean', boolean>
  | RowOf<'string', string>
  | RowOf<'strings', readonly string[]>
  | (RowOf<'choice', string> & { choices: readonly string[] })
  | RowOf<'map', Readonly<Record<string, string>>>;

export type SettingTable = Readonly<Record<string, SettingRow>>;

/** The values of a table: what a caller reads. */
export type SettingsOf<Table extends SettingTable> = {
  readonly [Name in keyof Table]: Table[Name] extends { type: 'integer' }
    ? number
    : Table[Name] extends { type: 'boolean' }
      ? boolean
      : Table[Name] extends { type: 'strings' }
        ? readonly string[]
        : Table[Name] extends { type: 'map' }
          ? Readonly<Record<string, string>>
          : string;
};

/** All defaults of a table. */
export function defaultsOf<Table extends SettingTable>(table: Table): SettingsOf<Table> {
  const entries = Object.entries(table).map(([name, row]) => [name, row.default]);
  return Object.fromEntries(entries) as SettingsOf<Table>;
}

function expectation(row: SettingRow): string {
  switch (row.type) {
    case 'integer':
      return `a whole number from ${row.min} to ${row.max} (${row.unit})`;
    case 'boolean':
      return 'true or false';
    case 'string':
      return 'a string';
    case 'strings':
      return 'a list of strings';
    case 'choice':
      return `one of ${row.choices.join(', ')}`;
    case 'map':
      return 'a map of names to strings';
  }
}

function fits(row: SettingRow, value: unknown): boolean {
  switch (row.type) {
    case 'integer':
      return Number.isInteger(value) && (value as number) >= row.min && (value as number) <= row.max;
    case 'boolean':
      return typeof value === 'boolean';
    case 'string':
      return typeof value === 'string';
    case 'strings':
      return Array.isArray(value) && value.every((item) => typeof item === 'string');
    case 'choice':
      return typeof value === 'string' && row.choices.includes(value);
    case 'map':
      return (
        typeof value === 'object' &&
        value !== null &&
        !Array.isArray(value) &&
        Object.values(value).every((item) => typeof item === 'string')
      );
  }
}

/** The name in `names` that is nearest to a mistyped one, if any is near: at most 3 edits, in less than half of it. */
export function nearestName(name: string, names: readonly string[]): string | undefined {
  let best: { name: string; distance: number } | undefined;
  for (const candidate of names) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance <= 3 && distance * 2 < name.length && (best === undefined || distance < best.distance)) {
      best = { name: candidate, distance };
    }
  }
  return best?.name;
}

function editDistance(left: string, right: string): number {
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    for (let column = 1; column <= right.length; column++) {
      const replaced = previous[column - 1]! + (left[row - 1] === right[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, previous[column]! + 1, current[column - 1]! + 1));
    }
    previous = current;
  }
  return previous[right.length]!;
}

/** The first entry of a map that is no text; numbers and yes or no are meant as text mostly. */
function entryProblem(name: string, map: object): string {
  const [key, value] = Object.entries(map).find(([, entry]) => typeof entry !== 'string')!;
  const hint = typeof value === 'number' || typeof value === 'boolean' ? ` (write "${value}")` : '';
  return `"${name}": "${key}" is ${JSON.stringify(value)}${hint}`;
}

/**
 * Checks `values` against `table` and fills in defaults. `where` names the source in errors.
 * @throws HostError CONFIG_INVALID: unknown name (with the nearest known one), wrong type, out of range.
 */
export function readSettings<Table extends SettingTable>(
  table: Table,
  values: Readonly<Record<string, unknown>>,
  where: string,
): SettingsOf<Table> {
  const result: Record<string, unknown> = { ...defaultsOf(table) };
  for (const [name, value] of Object.entries(values)) {
    const row = Object.hasOwn(table, name) ? table[name] : undefined;
    if (row === undefined) {
      const near = nearestName(name, Object.keys(table));
      const hint = near === undefined ? '' : `; did you mean "${near}"?`;
      throw new HostError('CONFIG_INVALID', `${where}: unknown setting "${name}"${hint}`);
    }
    if (!fits(row, value)) {
      const isMap = row.type === 'map' && typeof value === 'object' && value !== null && !Array.isArray(value);
      const text = isMap ? entryProblem(name, value) : `"${name}" is ${JSON.stringify(value)}`;
      throw new HostError('CONFIG_INVALID', `${where}: ${text}, expected ${expectation(row)}`);
    }
    result[name] = value;
  }
  return result as SettingsOf<Table>;
}
