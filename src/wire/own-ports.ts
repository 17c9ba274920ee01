// What a hosted process says on its app's socket about ports that it listens on by itself, beside the app's server:
// one line a connection. `holds <pid> <port>` as long as the connection stands; `wants <pid> <port>` when the port is
// taken, answered by `wait` (its predecessors have it, and go) or `taken`. Any other line is a wish or nonsense.

/** What a process says of a port. */
export interface PortLine {
  kind: 'holds' | 'wants';
  pid: number;
  port: number;
}

/** The answers to `wants`. */
export const PORT_WAIT = 'wait\n';
export const PORT_TAKEN = 'taken\n';

/** Longest line. */
export const PORT_LINE_BYTES_MAX = 32;

/** The line, with its end. */
export function portLine({ kind, pid, port }: PortLine): string {
  return `${kind} ${pid} ${port}\n`;
}

/** Undefined: it is not such a line. */
export function readPortLine(text: string): PortLine | undefined {
  const match = /^(holds|wants) (\d{1,10}) (\d{1,5})\n$/.exec(text);
  if (match === null) return undefined;
  return { kind: match[1] as PortLine['kind'], pid: Number(match[2]), port: Number(match[3]) };
}
