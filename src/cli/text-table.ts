// Rows -> columns of text. Control characters of names and messages do not reach the terminal.

/** Takes out what a terminal would take for a command. */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?');
}

/** Aligned columns, two spaces apart, each row ended by a newline. Columns in `right` are right-aligned. */
export function textTable(rows: readonly (readonly string[])[], right: readonly number[] = []): string {
  const shown = rows.map((row) => row.map(printable));
  const widths: number[] = [];
  for (const row of shown) {
    row.forEach((cell, column) => (widths[column] = Math.max(widths[column] ?? 0, cell.length)));
  }
  const lines = shown.map((row) => {
    const cells = row.map((cell, column) => {
      const width = widths[column]!;
      return right.includes(column) ? cell.padStart(width) : cell.padEnd(width);
    });
    return cells.join('  ').trimEnd();
  });
  return lines.map((line) => `${line}\n`).join('');
}

/** "12 MiB". */
export function sizeText(bytes: number | undefined): string {
  return bytes === undefined ? '-' : `${Math.round(bytes / 1_048_576)} MiB`;
}

/** "3 s", "5 min", "2 h", "9 d". */
export function durationText(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}
