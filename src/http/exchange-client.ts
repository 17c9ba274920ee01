// What an exchange asks and tells its client's side: a connection of HTTP/1.x, or a stream of HTTP/2.

import type { Origin } from '../wire/link-messages.ts';
import type { AnswerClient } from './answer-writer.ts';
import type { UpstreamChannel } from './upstream.ts';

export type ExchangeState =
  | 'idle' // Between two requests.
  | 'asking' // The host decides.
  | 'queued' // Waits for a process, or for somebody else's answer.
  | 'served' // A process has it.
  | 'tunnel'; // It became another protocol.

/** The client's side of an exchange. */
export interface ExchangeClient extends Pick<AnswerClient, 'answerStarts'> {
  readonly origin: Origin;
  /** All of the request's body has been read. */
  readonly isBodyWhole: boolean;
  /** The request's head says more than bodyBytesMax. */
  readonly isBodyTooLong: boolean;
  /** The connection may go on behind the answer, as far as is known now. */
  readonly keepsAlive: boolean;
  /** There is somebody to give the body to. */
  bodyWanted(): void;
  /** The channel takes more again. */
  channelWritable(): void;
  /** The answer is whole. */
  answered(): void;
  upgraded(channel: UpstreamChannel): void;
  tunnelData(slice: Buffer): void;
  tunnelEnded(): void;
  /** Nothing follows the answer. Outside an exchange: close now. */
  closeBehind(): void;
  /** Cut the connection: the answer cannot be completed. */
  abort(): void;
  /** End it behind what is out, as a server of node's that destroys its socket. */
  breakOff(): void;
  /** There is something to write or to give back at the end of the turn. */
  finishSoon(): void;
}
