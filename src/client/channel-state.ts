// The life of a channel as the app process sees it. A pure step: exchange-socket.ts performs what follows.
//
//   idle ──request──▶ receiving ──request-whole──▶ answering ──response-whole──▶ idle   (END is sent)
//                        │ response-whole                                          ▲
//                        ▼                                                         │
//                     answered ──request-whole, body-dropped───────────────────────┘
//   receiving, answering ──upgraded──▶ tunnel            any ──gone──▶ gone

/** What a channel is doing. */
export type ChannelState =
  /** Between exchanges, or before the first. */
  | 'idle'
  /** The request body still comes; the response is not whole. */
  | 'receiving'
  /** The request is whole; the response is not. */
  | 'answering'
  /** The response is whole; the app still reads the body, so END is held back. */
  | 'answered'
  /** Raw bytes both ways. */
  | 'tunnel'
  /** Final: nothing is sent or taken any more. */
  | 'gone';

/** What happens to a channel. */
export type ChannelEvent =
  | 'request'
  | 'request-whole'
  | 'response-whole'
  | 'body-dropped'
  | 'upgraded'
  | 'gone';

/**
 * The only place a channel changes. END is owed to the front exactly when the step leads from `answering`
 * or `answered` to `idle`.
 */
export function stepChannel(state: ChannelState, event: ChannelEvent): ChannelState {
  if (state === 'gone' || event === 'gone') return 'gone';
  switch (event) {
    case 'request':
      return state === 'tunnel' ? 'tunnel' : 'receiving';
    case 'request-whole':
      if (state === 'receiving') return 'answering';
      // A late END: the front sent it before it saw ours.
      return state === 'answered' ? 'idle' : state;
    case 'response-whole':
      if (state === 'receiving') return 'answered';
      return state === 'answering' ? 'idle' : state;
    case 'body-dropped':
      return state === 'answered' ? 'idle' : state;
    case 'upgraded':
      return state === 'receiving' || state === 'answering' ? 'tunnel' : state;
  }
}
