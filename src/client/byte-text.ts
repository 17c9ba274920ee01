// What node writes to a socket, as bytes: text that is bytes already is told apart, since it need not be copied.

/** True when every character is one byte on the wire. */
export function isByteText(text: string, encoding: string | null | undefined): boolean {
  switch (encoding) {
    case 'latin1':
    case 'binary':
    case 'ascii':
      return true;
    case undefined:
    case null:
    case 'utf8':
    case 'utf-8':
      return Buffer.byteLength(text) === text.length;
    default:
      return false;
  }
}

/** The same bytes as a Buffer. */
export function asBuffer(chunk: Uint8Array): Buffer {
  if (Buffer.isBuffer(chunk)) return chunk;
  return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}
