// Viewer <-> session proxy: CDP messages over plain HTTP requests, exactly once and in order.
// All paths are below <app>/debug/cdp/. Bodies are JSON; every answer is `Cache-Control: no-store`.
//
//   POST sign-in                body: SignIn. For programs: the page gets its key with itself. -> 200 SignedIn
//   POST .                      -> 200 Opened. Starts a viewer. Needs a key.
//   POST <viewer>/send?n=<k>    body: array of CDP messages; the first has number k.
//                               -> 204. Numbers already taken are dropped, so a repeat is harmless.
//                               A gap (k beyond the next number) -> 409 {next}: send again from there.
//   GET  <viewer>/poll?ack=<k>  -> 200 array of CDP messages, the first with number k. Everything before
//                               k was received and is forgotten. Held up to POLL_HOLD_MS when there is
//                               nothing; then []. A second poll ends the first with [].
//   GET  <viewer>/socket        an upgrade to a WebSocket, in the place of polls and sends, with the same numbers:
//                               SocketFrame both ways. The viewer begins with an ack, which ends a poll that is held
//                               with []; a poll ends the socket.
//   POST <viewer>/close         -> 204. The viewer leaves (sendBeacon on pagehide). Breakpoints stay.
//   POST settings               body: {name: value | null}: set or remove -> 204. Needs a key of the full role.
//   GET  file?url=<file URL>    -> 200 text: a script that V8 announced, or the map beside it; else 404. Needs
//                               a key.
//   any  <viewer>/… unknown     -> 410 PollError VIEWER_UNKNOWN
//
// A key is shown in the field KEY_FIELD, never in a cookie. The page runs in a sandbox: its requests are
// cross-origin, so they get CORS answers. The viewer id is unguessable, is told only to whoever showed a key, and
// stands for it: a field of its own would make the browser ask before each poll. Bodies of send are text/plain
// for the same reason.

/** Longest time that a poll is held, in ms: proxies cut at 30 to 60 s. */
export const POLL_HOLD_MS = 25_000;

/** A viewer that has not polled for this long is dropped, in ms. */
export const VIEWER_AWAY_MS = 30_000;

/** Most bytes of messages in one poll answer, beyond the first message. */
export const POLL_BYTES_MAX = 4_194_304;

/** How often an empty frame is sent on a socket, in ms; it is answered by an acknowledgement. */
export const SOCKET_BEAT_MS = 20_000;
/** A socket without a frame for this long is broken, in ms. */
export const SOCKET_SILENCE_MS = 45_000;

/** A frame on a viewer's WebSocket, as text of JSON. Down: `first` and `messages`, or `next`, or nothing. */
export interface SocketFrame {
  /** Up: everything before this number was received. */
  ack?: number;
  /** Number of the first of `messages`: down as by poll, up as by send. */
  first?: number;
  messages?: readonly unknown[];
  /** Down: commands before this number were taken. */
  next?: number;
}

/** Name of the field that holds a key. */
export const KEY_FIELD = 'slipstream-key';

/** The data block of the page, `<script type="application/json" id="slipstream-page">`. */
export interface PageData {
  key: string;
  role: 'observe' | 'step' | 'full';
  /** The DevTools settings kept with the app. */
  settings: Record<string, string>;
  /** Everybody is let in: the page says so. */
  isOpen: boolean;
  /** Of the inspector on 127.0.0.1, which every user of the machine reaches; absent where it has no port. */
  port?: number;
}

/** A program on this machine sends `{}`; others a one-time link, or the session that one became. */
export interface SignIn {
  link?: string;
  session?: string;
}

export interface SignedIn {
  key: string;
  role: 'observe' | 'step' | 'full';
  /** Secret of the session: signs in again later. */
  session?: string;
}

export interface Opened {
  viewer: string;
  /** What the page shows: name of the app, pid of the debuggee. */
  app: string;
  pid: number;
}

export interface PollError {
  code: 'VIEWER_UNKNOWN' | 'DEBUGGER_FORBIDDEN' | 'DEBUGGER_NOT_RUNNING' | 'REQUEST_INVALID';
  message: string;
}

/** A CDP message of either direction, with the flat session id where it is not the root's. */
export interface CdpMessage {
  id?: number;
  sessionId?: string;
  method?: string;
  params?: Record<string, unknown>;
  result?: Record<string, unknown>;
  error?: { code: number; message: string; data?: unknown };
}
