// JSON objects over a socket, one a line, where both ends are ours. A line that is too long, or none, ends it.

import type { Socket } from 'node:net';

/** Most characters of a line. */
const LINE_MAX = 1_048_576;
/** A reader that is this far behind is given up, in bytes. */
const UNREAD_MAX = 16_777_216;

/** Tells each object that comes. */
export function readJsonLines(socket: Socket, onValue: (value: unknown) => void): void {
  let rest = '';
  socket.setEncoding('utf8');
  socket.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!;
    if (rest.length > LINE_MAX) socket.destroy();
    for (const line of lines) {
      if (socket.destroyed) return;
      const value = parsed(line);
      if (value === undefined) socket.destroy();
      else onValue(value);
    }
  });
}

/** Sends an object; does nothing when the other end is gone. */
export function sendJsonLine(socket: Socket, value: unknown): void {
  if (socket.destroyed || !socket.writable) return;
  if (socket.writableLength > UNREAD_MAX) socket.destroy();
  else socket.write(`${JSON.stringify(value)}\n`);
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    // Whoever speaks here knows JSON: the rest would be no better.
    return undefined;
  }
}
