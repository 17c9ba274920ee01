// A process that another host started, with the face of a child process. Its end is looked for, since nobody tells
// it, and why it ended is never known; what it prints comes from whoever holds the other ends of its pipes.

import { EventEmitter } from 'node:events';
import type { PassThrough, Readable } from 'node:stream';
import { startOf } from '../base/process-identity.ts';
import type { Clock } from '../base/clock.ts';

/** How often it is looked for, in ms. */
const LOOK_MS = 50;

/** The part of a child process that is used of it. */
export interface ChildLike extends EventEmitter {
  readonly pid?: number | undefined;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  kill(signal: NodeJS.Signals): boolean;
}

/** A process to take over. */
export interface AdoptedProcess {
  pid: number;
  /** Its SLIPSTREAM_KEY. */
  key: string;
  /** See {@link startOf}. */
  start: string;
  /** What the files of the app were when it started. */
  stamp: string;
  stdout: PassThrough;
  stderr: PassThrough;
  /** Of its inspector, which is open, where it is a regular process. */
  port?: number;
}

/** See the head of this file. */
export class AdoptedChild extends EventEmitter implements ChildLike {
  readonly pid: number;
  readonly stdout: PassThrough;
  readonly stderr: PassThrough;
  #start: string;
  #clock: Clock;

  constructor({ pid, start, stdout, stderr }: AdoptedProcess, clock: Clock) {
    super();
    this.pid = pid;
    this.stdout = stdout;
    this.stderr = stderr;
    this.#start = start;
    this.#clock = clock;
    this.#lookLater();
  }

  kill(signal: NodeJS.Signals): boolean {
    if (startOf(this.pid) !== this.#start) return false;
    return process.kill(this.pid, signal);
  }

  #lookLater(): void {
    this.#clock.after(LOOK_MS, () => {
      if (startOf(this.pid) === this.#start) return this.#lookLater();
      this.stdout.end();
      this.stderr.end();
      this.emit('exit', null, null);
      this.emit('close', null, null);
    });
  }
}
