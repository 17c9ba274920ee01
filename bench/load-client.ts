// One kept-alive HTTP/1.1 connection that sends the same request over and over, and reads no more of an
// answer than is needed to know where it ends. Cheap, so that the server is what is measured.

import { createConnection, type Socket } from 'node:net';

export interface LoadClientOptions {
  url: URL;
  /** Called after each whole answer. */
  onAnswer: (status: number) => void;
  onError: (error: Error) => void;
}

/** Sends one request at a time. */
export class LoadClient {
  #socket: Socket;
  #options: LoadClientOptions;
  #request: Buffer;
  #head = '';
  /** Bytes of the body that are still to come; -1 while the head is read. */
  #left = -1;
  #status = 0;

  constructor(options: LoadClientOptions) {
    this.#options = options;
    const { url } = options;
    this.#request = Buffer.from(`GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\n\r\n`);
    this.#socket = createConnection({ host: url.hostname, port: Number(url.port), noDelay: true });
    this.#socket.on('data', (chunk) => this.#take(chunk));
    this.#socket.on('error', options.onError);
    this.#socket.on('close', () => options.onError(new Error('the server closed the connection')));
  }

  /** Sends the request. The answer to the one before must have come. */
  send(): void {
    this.#socket.write(this.#request);
  }

  close(): void {
    this.#socket.removeAllListeners();
    this.#socket.on('error', () => {});
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    let offset = 0;
    if (this.#left === -1) {
      const before = this.#head.length;
      this.#head += chunk.toString('latin1');
      const end = this.#head.indexOf('\r\n\r\n');
      if (end === -1) return;
      const head = this.#head.slice(0, end);
      const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
      if (length === undefined) {
        this.#options.onError(new Error(`an answer without Content-Length:\n${head}`));
        return;
      }
      this.#status = Number(head.slice(9, 12));
      this.#left = Number(length);
      this.#head = '';
      offset = end + 4 - before;
    }
    this.#left -= chunk.length - offset;
    if (this.#left > 0) return;
    this.#left = -1;
    this.#options.onAnswer(this.#status);
  }
}
