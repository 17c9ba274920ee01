// Debuggee <-> session proxy where the inspector is reached without a TCP port: a thread of the debuggee listens on
// a Unix socket (0600 in a 0700 folder; a named pipe on Windows) for one session proxy at a time.
//
//   thread -> proxy   first a hello (InspectorHello), then answers and events of V8
//   proxy -> thread   commands; the end of the connection ends the session
//
// Each message is JSON in UTF-8 behind its length: u32, big endian, bytes.

import { HostError } from '../base/host-error.ts';

/** Largest message, in bytes: what fits into one string. */
export const INSPECTOR_MESSAGE_BYTES_MAX = 500_000_000;
/** Names how the debuggee is to open its inspector: an {@link InspectorDoor} as JSON. */
export const INSPECTOR_DOOR_VARIABLE = 'SLIPSTREAM_INSPECTOR';

const HEAD_BYTES = 4;

/** Where the inspector of a debuggee is: on 127.0.0.1, or behind the socket of a thread of it. */
export type InspectorAddress = { kind: 'port'; port: number } | { kind: 'thread'; path: string };

/** What the host tells the debuggee. */
export interface InspectorDoor {
  /** Where to listen. */
  path: string;
  /** `brk`: stop before the first line of the program; `wait`: wait until a session lets it go. */
  start: 'run' | 'wait' | 'brk';
}

/** What the thread says first. */
export interface InspectorHello {
  pid: number;
  /** `file:` URL of the entry; '' without one. */
  url: string;
}

/** A message as it goes over the socket. */
export function inspectorMessage(text: string): Buffer {
  const bytes = Buffer.byteLength(text);
  const message = Buffer.allocUnsafe(HEAD_BYTES + bytes);
  message.writeUInt32BE(bytes, 0);
  message.write(text, HEAD_BYTES);
  return message;
}

/** Cuts a byte stream into messages. Holds one unfinished message at most. */
export class InspectorMessageReader {
  #onMessage: (text: string) => void;
  #parts: Buffer[] = [];
  #bytes = 0;
  /** Bytes that the unfinished message needs, its head included. */
  #wanted = HEAD_BYTES;

  constructor(onMessage: (text: string) => void) {
    this.#onMessage = onMessage;
  }

  /** @throws HostError LINK_FRAME_INVALID when a message is longer than the limit. */
  push(chunk: Buffer): void {
    this.#parts.push(chunk);
    this.#bytes += chunk.length;
    while (this.#bytes >= this.#wanted) {
      const whole = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts);
      const length = whole.readUInt32BE(0);
      if (length > INSPECTOR_MESSAGE_BYTES_MAX) {
        throw new HostError(
          'LINK_FRAME_INVALID',
          `an inspector message of ${length} bytes, more than ${INSPECTOR_MESSAGE_BYTES_MAX}`,
        );
      }
      const end = HEAD_BYTES + length;
      this.#parts = [whole];
      this.#wanted = end;
      if (this.#bytes < end) return;
      this.#parts = [whole.subarray(end)];
      this.#bytes -= end;
      this.#wanted = HEAD_BYTES;
      this.#onMessage(whole.toString('utf8', HEAD_BYTES, end));
    }
  }
}
