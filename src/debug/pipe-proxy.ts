// A proxy process for any debugger that speaks over TCP: holds the one connection to the debuggee while users
// come and go, several at a time. Told how messages are framed it passes on whole ones only, so that a user who
// is cut off in the midst of one leaves no half behind on either side; else bytes as they are. While nobody is
// there they are kept, up to a bound. It ends with the debuggee, and users hear of that end.

/** What the proxy prints when it can be reached: a line of its own. */
export const PROXY_READY_MARK = 'ß';

/**
 * How a protocol tells its messages apart. `bytes`: not known. `lines`: LF ends one. `nul`: a zero byte ends one.
 * `content-length`: fields, an empty line, and a body of `Content-Length` bytes (DAP, the old V8 protocol).
 * `gdb`: packets and acknowledgements of the GDB remote serial protocol.
 */
export type PipeFraming = 'bytes' | 'lines' | 'nul' | 'content-length' | 'gdb';

/** Settings of one proxy. Ports are on 127.0.0.1. */
export interface PipeProxyOptions {
  /** Where the debuggee listens. */
  debuggeePort: number;
  /** Where users come. Default one more than `debuggeePort`. */
  port?: number;
  /** Tries to reach the debuggee. Default 100. */
  retries?: number;
  /** Pause between two tries, in ms. Default 300. */
  retryIntervalMs?: number;
  /** Default `bytes`. */
  framing?: PipeFraming;
  /**
   * Bytes that are kept while nobody is there, that one user has not read yet, and of one message. More end the
   * connection at fault: the debuggee's, or that user's. Default 64 MiB.
   */
  bufferBytesMax?: number;
}

/**
 * Source of the proxy for `node -e`. It prints {@link PROXY_READY_MARK} when both sides are there, and exits
 * with 0 when the debuggee ended, 1 when it was never reached, 2 when the port was taken.
 */
export function pipeProxySource(options: PipeProxyOptions): string {
  const { debuggeePort } = options;
  const whole: Required<PipeProxyOptions> = {
    port: debuggeePort + 1,
    retries: 100,
    retryIntervalMs: 300,
    framing: 'bytes',
    bufferBytesMax: 67_108_864,
    ...options,
  };
  const parameters = [JSON.stringify(whole), JSON.stringify(PROXY_READY_MARK), createMessageCutter.toString()];
  return `(${runPipeProxy.toString()})(${parameters.join(', ')});`;
}

/**
 * Takes parts of a stream and gives the messages that are whole now, and how many bytes wait for their rest.
 * Runs in the proxy process too: names nothing outside of itself.
 */
export function createMessageCutter(framing: PipeFraming): (part: Buffer) => { whole: Buffer[]; waiting: number } {
  let parts: Buffer[] = [];
  let waiting = 0;
  // Nothing is whole before so many bytes are there: a large body is put together once.
  let wanted = 1;
  /** Where the message at `start` ends; negative: after so many bytes at the earliest. */
  const endOf = (bytes: Buffer, start: number): number => {
    const notYet = -(bytes.length - start + 1);
    if (framing === 'lines' || framing === 'nul') {
      const at = bytes.indexOf(framing === 'lines' ? 10 : 0, start);
      return at === -1 ? notYet : at + 1;
    }
    if (framing === 'gdb') {
      // "$data#xx" and "%data#xx"; everything else is a byte by itself.
      if (bytes[start] !== 36 && bytes[start] !== 37) return start + 1;
      const at = bytes.indexOf(35, start);
      return at === -1 || at + 3 > bytes.length ? notYet : at + 3;
    }
    const head = bytes.indexOf('\r\n\r\n', start);
    if (head === -1) return notYet;
    const length = /^content-length:\s*(\d+)\s*$/im.exec(bytes.toString('latin1', start, head))?.[1] ?? '0';
    const end = head + 4 + Number(length);
    return end <= bytes.length ? end : start - end;
  };
  return (part) => {
    if (framing === 'bytes') return { whole: [part], waiting: 0 };
    parts.push(part);
    waiting += part.length;
    const mayEnd = framing === 'lines' ? part.includes(10) : framing === 'nul' ? part.includes(0) : waiting >= wanted;
    const whole: Buffer[] = [];
    if (!mayEnd) return { whole, waiting };
    const bytes = Buffer.concat(parts);
    let start = 0;
    wanted = 1;
    while (start < bytes.length) {
      const end = endOf(bytes, start);
      if (end < 0) {
        wanted = -end;
        break;
      }
      whole.push(bytes.subarray(start, end));
      start = end;
    }
    parts = start < bytes.length ? [bytes.subarray(start)] : [];
    waiting = bytes.length - start;
    return { whole, waiting };
  };
}

/** Runs in the proxy process, as text: names nothing outside of itself. */
function runPipeProxy(options: Required<PipeProxyOptions>, mark: string, cutter: typeof createMessageCutter): void {
  const { createServer, connect } = process.getBuiltinModule('node:net');
  const { debuggeePort, port, framing, bufferBytesMax } = options;
  const users = new Set<import('node:net').Socket>();
  const kept: Buffer[] = [];
  let keptBytes = 0;
  let triesLeft = options.retries;
  let isOver = false;
  const server = createServer((user) => {
    // A reset is an end like any other.
    user.on('error', () => user.destroy());
    // Small messages that wait for an acknowledgement make each step of a debugger slow.
    user.setNoDelay(true);
    user.on('close', () => users.delete(user));
    for (const part of kept.splice(0)) user.write(part);
    keptBytes = 0;
    users.add(user);
    const cut = cutter(framing);
    user.on('data', (part: Buffer) => {
      const { whole, waiting } = cut(part);
      if (waiting > bufferBytesMax) user.destroy();
      for (const message of whole) debuggee.write(message);
      if (isOver) debuggee.end();
      if (!debuggee.writableNeedDrain) return;
      user.pause();
      debuggee.once('drain', () => user.resume());
    });
  });
  let debuggee = dial();
  function hear(message: Buffer): void {
    // The program exited or was killed; a gdbserver then waits for its user to acknowledge that and to leave.
    isOver ||= framing === 'gdb' && message[0] === 36 && (message[1] === 87 || message[1] === 88);
    for (const user of users) {
      user.write(message);
      if (user.writableLength > bufferBytesMax) user.destroy();
    }
    if (users.size > 0) return;
    kept.push(message);
    keptBytes += message.length;
  }
  function dial(): import('node:net').Socket {
    const socket = connect({ port: debuggeePort, host: '127.0.0.1', noDelay: true });
    const cut = cutter(framing);
    let isThere = false;
    socket.on('connect', () => {
      isThere = true;
      server.listen(port, '127.0.0.1', () => process.stdout.write(`${mark}\n`));
    });
    socket.on('data', (part: Buffer) => {
      const { whole, waiting } = cut(part);
      for (const message of whole) hear(message);
      if (keptBytes + waiting > bufferBytesMax) socket.destroy();
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      if (isThere) {
        for (const user of users) user.end();
        server.close(() => process.exit(0));
        setTimeout(() => process.exit(0), 1000).unref();
      } else if (--triesLeft > 0) {
        setTimeout(() => (debuggee = dial()), options.retryIntervalMs);
      } else {
        process.exit(1);
      }
    });
    return socket;
  }
  server.on('error', () => process.exit(2));
}
