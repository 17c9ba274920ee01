// Where one HTTP/1.1 connection stands: reading × writing × keep-alive, each a union with a pure step.
// connection.ts performs the effects. The end of the client's bytes is an event like any other: it is
// read in its turn, behind what was sent before it.
//
//   reading   head ──request──▶ hold ──body-wanted──▶ body ──body-ended──▶ hold ──next──▶ head
//                                │ body-unwanted ◀─────┘ body-unwanted
//                                ├───▶ discard ──body-ended──▶ hold
//                                └──upgraded──▶ tunnel          any ──finish──▶ linger
//   writing   idle ──request──▶ waiting ──answer──▶ answering ──answered──▶ idle
//                                └──upgraded──▶ tunnel          any ──finish──▶ ended

import { assert } from '../base/assert.ts';

export type Reading =
  | 'head' // Between two requests or inside a head.
  | 'hold' // What comes belongs to the next request, to a tunnel, or to a body nobody takes yet.
  | 'body' // Inside a body on its way to the app.
  | 'discard' // Inside the rest of a body whose request has been answered.
  | 'tunnel' // Bytes are no HTTP any more.
  | 'linger'; // Final. What comes is thrown away: an unread byte would reset the last answer.

export type Writing =
  | 'idle' // No request waits for an answer.
  | 'waiting' // A request was read; nothing of its final answer is out.
  | 'answering' // The head of the answer is out.
  | 'tunnel' // Bytes are no HTTP any more.
  | 'ended'; // Final. The end of our bytes is out or waits behind them.

export type KeepAlive =
  | 'keep' // Another request may follow.
  | 'last'; // The answer under way, or the next one, is the last.

export type ConnectionEvent =
  | 'request' // A head was read.
  | 'body-wanted' // An app takes the body.
  | 'body-unwanted' // The request was answered before its body was read whole.
  | 'body-ended' // The last byte of the body was read.
  | 'answer' // The head of the final answer goes out.
  | 'answered' // The last byte of the answer goes out.
  | 'next' // Request and answer are whole.
  | 'upgraded' // The app agreed to another protocol.
  | 'last' // The client, the app or the front wants no further request.
  | 'finish'; // Send what waits, then our end.

/**
 * The only place where reading changes. Events that move only the other axis are no business of it.
 * @throws AssertionFailure for an event that cannot happen there.
 */
export function stepReading(reading: Reading, event: ConnectionEvent): Reading {
  switch (event) {
    case 'finish':
      return 'linger';
    case 'answer':
    case 'answered':
    case 'last':
      return reading;
    case 'request':
      if (reading === 'head') return 'hold';
      break;
    case 'body-wanted':
      if (reading === 'hold') return 'body';
      break;
    case 'body-unwanted':
      if (reading === 'hold' || reading === 'body') return 'discard';
      break;
    case 'body-ended':
      if (reading === 'body' || reading === 'discard') return 'hold';
      break;
    case 'next':
      if (reading === 'hold') return 'head';
      break;
    case 'upgraded':
      if (reading === 'hold') return 'tunnel';
      break;
  }
  assert(false, `reading "${reading}" has no "${event}"`);
}

/**
 * The only place where writing changes. `answer` in `idle` is an answer to what was no request.
 * @throws AssertionFailure for an event that cannot happen there.
 */
export function stepWriting(writing: Writing, event: ConnectionEvent): Writing {
  switch (event) {
    case 'finish':
      return 'ended';
    case 'body-wanted':
    case 'body-unwanted':
    case 'body-ended':
    case 'next':
    case 'last':
      return writing;
    case 'request':
      if (writing === 'idle') return 'waiting';
      break;
    case 'answer':
      if (writing === 'idle' || writing === 'waiting') return 'answering';
      break;
    case 'answered':
      if (writing === 'answering') return 'idle';
      break;
    case 'upgraded':
      if (writing === 'waiting') return 'tunnel';
      break;
  }
  assert(false, `writing "${writing}" has no "${event}"`);
}

/** The only place where keep-alive changes: once `last`, always `last`. */
export function stepKeepAlive(keepAlive: KeepAlive, event: ConnectionEvent): KeepAlive {
  return event === 'last' || event === 'finish' || event === 'upgraded' ? 'last' : keepAlive;
}

/** What to do when an answer is out. */
export type AfterAnswer =
  | 'next' // Read the next head.
  | 'discard' // Read the rest of the body first.
  | 'finish'; // Close.

/** `restBytes`: how much of the body is still to come at least; 0 when it was read whole. */
export function afterAnswer(options: {
  keepAlive: KeepAlive;
  restBytes: number;
  discardBytesMax: number;
}): AfterAnswer {
  if (options.keepAlive === 'last' || options.restBytes > options.discardBytesMax) return 'finish';
  return options.restBytes > 0 ? 'discard' : 'next';
}
