// What goes to one client: collected during a turn of the event loop and written at once. The common small
// answer, head and body, is one text and one write. Says when the client does not keep up.

import type { Socket } from 'node:net';
import { keep } from './lent-reads.ts';

/** Pieces up to this size are copied into the text; larger ones go out as they are. */
const COPY_BYTES_MAX = 4096;

/** Bytes that the kernel has not taken yet, which no public property tells while a write is under way. */
interface HandleOwner {
  _handle?: { writeQueueSize?: number } | null;
}

/** The outgoing half of one connection. */
export class ClientOutput {
  #socket: Socket;
  /** Latin-1 text behind the chunks. */
  #text = '';
  /** Null: only text. */
  #chunks: (string | Buffer)[] | null = null;
  /** Of what was collected: to be called when it is with the system. */
  #releases: (() => void)[] = [];
  /** Our end follows what was collected. */
  #isEnding = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** The client has to take bytes before more is worth making. */
  get isStalled(): boolean {
    return this.#socket.writableNeedDrain;
  }

  /** Bytes wait for the client. */
  get hasUnsent(): boolean {
    return this.#socket.writableLength > 0;
  }

  /** Changes whenever the client takes bytes; also when more are written, which credit bounds. */
  get sendProgress(): number {
    const queued = (this.#socket as unknown as HandleOwner)._handle?.writeQueueSize ?? 0;
    return this.#socket.bytesWritten + this.#socket.writableLength + queued;
  }

  /** Adds Latin-1 text. */
  text(text: string): void {
    this.#text += text;
  }

  /** Adds bytes. The slice is the output's from now on, or lent: see lent-reads.ts. */
  bytes(slice: Buffer): void {
    if (slice.length <= COPY_BYTES_MAX) {
      this.#text += slice.toString('latin1');
      return;
    }
    const { bytes, release } = keep(slice);
    if (release !== null) this.#releases.push(release);
    this.whole(bytes);
  }

  /** Adds bytes as they are, whatever their size: nobody changes them before they are sent. */
  whole(bytes: Buffer): void {
    const chunks = (this.#chunks ??= []);
    if (this.#text !== '') chunks.push(this.#text);
    this.#text = '';
    chunks.push(bytes);
  }

  /** Adds bytes that nobody changes any more: as they are where they come first, which costs no text. */
  kept(bytes: Buffer): void {
    if (this.#text === '' && this.#chunks === null) this.#chunks = [bytes];
    else this.bytes(bytes);
  }

  /** Sends our end behind what was collected. */
  end(): void {
    this.#isEnding = true;
  }

  /** Writes what was collected. */
  flush(): void {
    const socket = this.#socket;
    if (socket.destroyed) this.#drop();
    if (this.#chunks !== null) this.#flushChunks(this.#chunks);
    else if (this.#text !== '') {
      const text = this.#text;
      this.#text = '';
      socket.write(text, 'latin1');
    }
    if (!this.#isEnding) return;
    this.#isEnding = false;
    socket.end();
  }

  #drop(): void {
    this.#text = '';
    this.#chunks = null;
    for (const release of this.#releases.splice(0)) release();
    this.#isEnding = false;
  }

  #flushChunks(chunks: (string | Buffer)[]): void {
    const socket = this.#socket;
    if (this.#text !== '') chunks.push(this.#text);
    this.#text = '';
    this.#chunks = null;
    const written = this.#takeReleases();
    const last = chunks.length - 1;
    if (last > 0) socket.cork();
    for (let index = 0; index < last; index++) socket.write(chunks[index]!, 'latin1');
    socket.write(chunks[last]!, 'latin1', written);
    if (last > 0) socket.uncork();
  }

  #takeReleases(): (() => void) | undefined {
    const releases = this.#releases;
    if (releases.length === 0) return undefined;
    this.#releases = [];
    return releases.length === 1 ? releases[0] : () => {
      for (const release of releases) release();
    };
  }
}
