// Structured log lines: an event name and fields, as text for people or as one JSON object a line.
// Writing never throws and never waits: a broken pipe loses lines, not requests.

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Record<string, string | number | boolean | undefined>;

/** Where events go. `event` is a stable kebab-case name; the text for people is made from the fields. */
export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  /** A log that adds `fields` to each line. */
  with(fields: LogFields): Log;
}

export interface LogOptions {
  /** Lines are JSON objects when true. */
  json: boolean;
  /** The lowest level that is written. Default `info`. */
  level?: LogLevel;
  /** Gets each whole line with its newline. */
  write: (line: string) => void;
}

const LEVELS: LogLevel[] = ['debug', 'info', 'warn', 'error'];

function asText(level: LogLevel, event: string, fields: LogFields): string {
  const parts: string[] = [];
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const text = String(value);
    // Control characters would reach the terminal as commands.
    // oxlint-disable-next-line no-control-regex
    const needsQuotes = /[\s"=\u0000-\u001f\u007f-\u009f]/.test(text);
    parts.push(`${name}=${needsQuotes ? JSON.stringify(text) : text}`);
  }
  const time = new Date().toISOString().slice(11, 23);
  const mark = level === 'info' ? '' : `${level.toUpperCase()} `;
  return `${time} ${mark}${event}${parts.length > 0 ? ` ${parts.join(' ')}` : ''}\n`;
}

/** Makes a log. */
export function createLog(options: LogOptions, base: LogFields = {}): Log {
  const lowest = LEVELS.indexOf(options.level ?? 'info');
  function put(level: LogLevel, event: string, fields: LogFields = {}): void {
    if (LEVELS.indexOf(level) < lowest) return;
    const all = { ...base, ...fields };
    const line = options.json
      ? `${JSON.stringify({ time: new Date().toISOString(), level, event, ...all })}\n`
      : asText(level, event, all);
    options.write(line);
  }
  return {
    debug: (event, fields) => put('debug', event, fields),
    info: (event, fields) => put('info', event, fields),
    warn: (event, fields) => put('warn', event, fields),
    error: (event, fields) => put('error', event, fields),
    with: (fields) => createLog(options, { ...base, ...fields }),
  };
}

/** A log that drops everything. For tests. */
export const silentLog: Log = createLog({ json: false, level: 'error', write: () => {} });
