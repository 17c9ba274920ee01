// Host <-> front, over the IPC channel of the child process (it also carries listening handles).
// The host is always right: a restarted front gets one `configure` with everything, then changes.

import type { ErrorCode } from '../base/host-error.ts';
import type { FrontLimits } from '../base/limits.ts';
import type { CacheAnswer, CacheAsk, CacheReport, RouteCache } from './cache-messages.ts';
import type { TlsState } from './tls-messages.ts';

/** Processes that serve the same thing. To the front an app and a debugger are both just groups. */
export interface Group {
  id: string;
  /** For error pages and logs: the app's name. */
  name: string;
  /** The front asks the host to start a process when a request finds none; else it answers 503. */
  onDemand: boolean;
  /** How a process is chosen. Default `round-robin`: in turn; `least-busy`: fewest exchanges. */
  balance?: 'round-robin' | 'least-busy';
  /** Most exchanges of one process at a time. Default: the limit of the front. */
  concurrencyMax?: number;
  /** Most requests that wait. Default: the limit of the front. */
  queueMax?: number;
  /** A cookie leads a client to its process again. Absent: none is set. */
  sticky?: StickyCookie;
  /** Requests that show a secret go to another group. */
  diversion?: Diversion;
  /** How failures look to clients, where that is not as everywhere: see http/iisnode-page.ts. */
  errorPages?: 'iisnode-local' | 'iisnode' | 'bare';
  /** Served by what listens there instead of by processes: `http://host:port` or `unix:/path`. */
  backend?: string;
  /** A trusted client certificate is told to the backend in fields (RFC 9440), with its chain or not. Default: no. */
  clientCert?: 'leaf' | 'chain';
  /** Its processes are told which requests come from a person at this machine. Default: no. */
  tellsLocal?: boolean;
  /** What it answers when no process serves it and it is not on demand. Default 503 UPSTREAM_NONE. */
  absent?: { status: number; code: ErrorCode; message: string };
}

/** Which requests another group gets: those with the secret in this cookie or field. */
export interface Diversion {
  group: string;
  cookie: string;
  /** In lower case. */
  field: string;
  secret: string;
}

/** How a client finds its process again. */
export interface StickyCookie {
  /** Names of the cookie and of the path where it holds: `/shop/`. */
  name: string;
  path: string;
  /** Secret of the host: with it nobody else can make a value that leads to a process. */
  key: string;
}

/**
 * A URL prefix and who serves it: a path ("/shop/"), meaning every listener and host, or a full prefix
 * as in design of the drop-in ("http://*:8080/shop/").
 */
export interface Route {
  prefix: string;
  group: string;
  /**
   * `door`: a request for exactly this prefix (with or without its last slash, any query) is decided by
   * the host: see AskMessage. `always`: every request is.
   */
  ask?: 'door' | 'always';
  /** A group whose processes get each request first, without its body, and say what becomes of it. */
  decider?: string;
  /** Path segments compare without regard to case. Default false. */
  ignoreCase?: boolean;
  /** Also served over plain HTTP where its host sends clients to https. */
  staysPlain?: boolean;
  /** Answers below the prefix are kept. Absent: they are not. What was kept goes with the route. */
  cache?: RouteCache;
}

/** A process that the host started and that will dial in with this key. */
export interface ExpectedProcess {
  key: string;
  id: string;
  group: string;
  /** Once it is spawned: a front without a host ends it. */
  pid?: number;
  /** It stands at a breakpoint, as by message `hold`. */
  isHeld?: boolean;
  /** It outlives the host, and somebody else sees to its end: a front without a host leaves it alone. */
  isKept?: boolean;
}

/** Whom the front believes what it says about others. */
export interface TrustedPeers {
  /** Addresses and networks (address/bits) whose Forwarded and X-Forwarded-* are passed on. */
  proxies: string[];
  /** Origins of the listeners whose connections begin with a PROXY protocol header. */
  proxyListeners: string[];
  /** A field that only such proxies may say, in lower case: taken from everybody else. Absent: there is none. */
  userField?: string;
  /** Origins of the listeners that take raw bytes in targets (docs/refusals.md); absent: none. */
  lenientListeners?: string[];
  /** Programs of other users run here: not every client on loopback is a person at this machine. */
  hasOtherUsers?: boolean;
}

/** Why a group cannot answer now. The front shows `developer` to local clients only. */
export interface Failure {
  status: number;
  code: ErrorCode;
  /** One sentence for everybody: names the app and the reason. */
  message: string;
  /** Parts for a developer: a heading and preformatted text, e.g. the last lines of stderr. */
  developer: { heading: string; text: string }[];
  retryAfterSeconds?: number;
  /** Id of the process whose end it is: the host knows more of that (wire/reader.ts). */
  ended?: string;
  /** HTML of the app's owner: the answer to everybody, as it is. */
  page?: string;
}

/** An answer that the host gives through the front. */
export interface Answer {
  status: number;
  fields: string[];
  body: string;
}

export type HostToFront =
  | {
      kind: 'configure';
      linkSocket: string;
      /** The same for other users: each socket is given to its user. */
      userLinks?: { path: string; uid: number }[];
      /** Where processes dial that a host before this one started. */
      formerLinks?: string[];
      limits: FrontLimits;
      routes: Route[];
      groups: Group[];
      processes: ExpectedProcess[];
      tls?: TlsState;
      peers?: TrustedPeers;
    }
  /** Replaces everything about TLS, for the next handshakes. */
  | { kind: 'tls'; tls: TlsState }
  /** Comes with a listening handle. `origin` is `http://host:port`, or with `https:` where TLS ends here. */
  | { kind: 'listen'; id: number; origin: string }
  /** Accept nothing more at this origin; its connections end when their answers are given. */
  | { kind: 'unlisten'; origin: string }
  /** Replaces the whole table; exchanges under way are not touched. */
  | { kind: 'routes'; routes: Route[]; groups: Group[] }
  /** Other limits and peers, for new connections, and the whole table with them. */
  | { kind: 'reconfigure'; limits: FrontLimits; peers: TrustedPeers; routes: Route[]; groups: Group[] }
  | { kind: 'expect'; process: ExpectedProcess }
  /** Give the process nothing new; answer `drained` when its last exchange is over. */
  | { kind: 'retire'; process: string }
  /** The process stands at a breakpoint: requests wait in its group, without a limit in time. Or it goes on. */
  | { kind: 'hold'; process: string; isHeld: boolean }
  /** The process is gone or given up: drop its link, fail its exchanges. */
  | { kind: 'forget'; process: string }
  /** No process of the group could be started: answer the waiting requests with this. */
  | { kind: 'failed'; group: string; failure: Failure }
  /** The decision on an ask. `pass`: hand the request to the group; `again`: look up the route anew. */
  | { kind: 'decision'; ask: number; decision: Decision }
  | { kind: 'report'; id: number }
  /** Answered with `pong`, to show that the event loop turns (host/heartbeat.ts). */
  | { kind: 'ping' }
  /** Answered with the same id. */
  | { kind: 'cache'; id: number; ask: CacheAsk }
  /** Accept nothing new, finish what is under way (at most `timeoutMs`), then exit. */
  | { kind: 'drain'; timeoutMs: number };

/**
 * `fields` (flat) are added to the answer of whoever serves the request; `developer` is for who asked about an end
 * (wire/reader.ts).
 */
export type Decision =
  | { kind: 'pass'; fields?: string[]; developer?: Failure['developer'] }
  | { kind: 'again' }
  | { kind: 'answer'; answer: Answer };

/** What the host needs to decide on a request. */
export interface AskedRequest {
  method: string;
  /** Raw request target, in origin form. */
  target: string;
  /** Path of the target, percent-decoded where that is safe, dot segments removed. */
  path: string;
  /** With its "?", or empty. */
  query: string;
  /** Flat name, value list. */
  fields: string[];
  remoteAddress: string;
  encrypted: boolean;
  /** A person at this machine who came through no proxy (base/loopback.ts). */
  local: boolean;
  /** The certificate of the client, DER in base64, where it is trusted. */
  certificate?: string;
}

export type FrontToHost =
  | { kind: 'configured' }
  | { kind: 'pong' }
  | { kind: 'listening'; id: number; port: number }
  | { kind: 'listen-failed'; id: number; errno: string; message: string }
  /** A request waits for the group and it has no process. Sent once until `ready` or `failed`. */
  | { kind: 'activate'; group: string }
  | { kind: 'ask'; ask: number; group: string; prefix: string; request: AskedRequest }
  /** A server of the process listens: it gets requests. */
  | { kind: 'ready'; process: string; pid: number }
  /** The process closed its last server but lives. */
  | { kind: 'unready'; process: string }
  /** The link of the process broke. */
  | { kind: 'unlinked'; process: string }
  | { kind: 'drained'; process: string }
  | { kind: 'report'; id: number; report: FrontReport }
  | { kind: 'cache'; id: number; answer: CacheAnswer };

/** Numbers of one front. */
export interface FrontReport {
  pid: number;
  connections: number;
  requests: number;
  /** Requests that wait, by group. */
  waiting: Record<string, number>;
  /** Exchanges under way, by process. */
  active: Record<string, number>;
  /** Requests that each process was given so far. */
  served: Record<string, number>;
  cache: CacheReport;
}
