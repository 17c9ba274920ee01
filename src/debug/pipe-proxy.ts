// A proxy process for any debugger that speaks over TCP: holds the one connection to the debuggee while users
// come and go. It knows no protocol: bytes are passed on as they are, to several users at a time. While nobody
// is there they are kept, up to a bound. It ends with the debuggee, and users hear of that end.

/** What the proxy prints when it can be reached: a line of its own. */
export const PROXY_READY_MARK = 'ß';

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
  /** Bytes that are kept while nobody is there; more end the debuggee's connection. Default 64 MiB. */
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
    bufferBytesMax: 67_108_864,
    ...options,
  };
  return `(${runPipeProxy.toString()})(${JSON.stringify(whole)}, ${JSON.stringify(PROXY_READY_MARK)});`;
}

/** Runs in the proxy process, as text: names nothing outside of itself. */
function runPipeProxy(options: Required<PipeProxyOptions>, mark: string): void {
  const { createServer, connect } = process.getBuiltinModule('node:net');
  const { debuggeePort, port, bufferBytesMax } = options;
  const users = new Set<import('node:net').Socket>();
  const kept: Buffer[] = [];
  let keptBytes = 0;
  let triesLeft = options.retries;
  const server = createServer((user) => {
    // A reset is an end like any other.
    user.on('error', () => user.destroy());
    user.on('close', () => users.delete(user));
    for (const part of kept.splice(0)) user.write(part);
    keptBytes = 0;
    users.add(user);
    user.on('data', (part: Buffer) => {
      if (!debuggee.write(part)) {
        user.pause();
        debuggee.once('drain', () => user.resume());
      }
    });
  });
  let debuggee = dial();
  function dial(): import('node:net').Socket {
    const socket = connect(debuggeePort, '127.0.0.1');
    let isThere = false;
    socket.on('connect', () => {
      isThere = true;
      server.listen(port, '127.0.0.1', () => process.stdout.write(`${mark}\n`));
    });
    socket.on('data', (part: Buffer) => {
      for (const user of users) user.write(part);
      if (users.size > 0) return;
      kept.push(part);
      keptBytes += part.length;
      if (keptBytes > bufferBytesMax) socket.destroy();
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
