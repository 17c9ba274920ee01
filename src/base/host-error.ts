// The one error class for what is not our fault: a peer, a user, a disk. Match `code`, never the text.
// Each code has a row in docs/errors.md; scripts/tidy.ts compares the two.

/** Every stable code, with the sentence that docs/errors.md explains. */
export const ERROR_CODES = {
  // Start-up of the host and its configuration.
  OPTION_UNKNOWN: 'a command line option is not known',
  OPTION_INVALID: 'a command line option has a value that cannot be used',
  CONFIG_UNREADABLE: 'the configuration file cannot be read',
  CONFIG_INVALID: 'a setting is unknown, of the wrong type or out of range',
  ROOT_MISSING: 'the folder to serve does not exist or is not a folder',
  LISTEN_FAILED: 'a listener cannot be bound',
  HOME_UNSAFE: 'the folder for sockets belongs to another user or is open to others',
  FRONT_FAILED: 'the front process cannot be started',
  PROCESS_HUNG: 'a process of the host gave no sign of life and was killed',
  // The command line and the running host.
  HOST_NOT_RUNNING: 'no host runs for this SLIPSTREAM_HOME',
  HOST_AMBIGUOUS: 'several hosts run for this SLIPSTREAM_HOME',
  CONTROL_INVALID: 'the host does not understand a request of the command line',
  CONTROL_LOST: 'the host hung up before it answered',
  CACHE_TARGET_INVALID: 'what to purge is neither a URL nor a path',
  CACHE_UNREACHABLE: 'a front did not answer about its cache',
  APP_UNKNOWN: 'no app has this name or path',
  RELOAD_FAILED: 'new processes of an app did not start; the old ones go on',
  FILE_EXISTS: 'a file that would be written is there already',
  // TLS in the front.
  TLS_CERTIFICATE_INVALID: 'a certificate or its key cannot be used',
  TLS_CERTIFICATE_MISSING: 'an https listener has no certificate to show',
  TLS_CERTIFICATE_UNKNOWN: 'no certificate is stored under this name',
  // Life of an app.
  APP_EXITED: 'the app ended before it listened',
  APP_START_TIMED_OUT: 'the app did not listen in time',
  APP_USER_INVALID: 'the app cannot run as the user that its settings name',
  APP_SPAWN_FAILED: 'the process of the app cannot be created',
  APP_STOPPED: 'the host is stopping and starts no app',
  APP_PAUSED: 'the app was stopped by a command',
  APP_OFFLINE: 'the app is offline while its app_offline.htm is there',
  APP_CRASH_LOOP: 'the app keeps ending soon after its start',
  // Requests that the front answers itself.
  REQUEST_INVALID: 'the request breaks the rules of HTTP or can be read in two ways',
  REQUEST_METHOD_UNSUPPORTED: 'the method cannot be served here',
  REQUEST_TARGET_TOO_LONG: 'the request target is longer than the limit',
  REQUEST_HEAD_TOO_LARGE: 'the head has too many bytes or too many fields',
  REQUEST_BODY_TOO_LARGE: 'the body is longer than the limit',
  REQUEST_TIMED_OUT: 'the head or the body did not arrive in time',
  REQUEST_EXPECTATION_FAILED: 'an Expect field asks for what nobody here knows',
  HTTP_VERSION_UNSUPPORTED: 'the HTTP version is not served',
  HOST_UNKNOWN: 'no listener serves the host that the request names',
  ROUTE_NOT_FOUND: 'no app serves the path',
  FOLDER_NOT_LISTED: 'the URL is a folder without a default document',
  QUEUE_FULL: 'the queue of the app is full',
  QUEUE_TIMED_OUT: 'the request waited too long for a process of the app',
  UPSTREAM_NONE: 'the prefix is registered but no process serves it now',
  UPSTREAM_LOST: 'the process ended or closed the exchange before it answered',
  UPSTREAM_UNREACHABLE: 'no connection to the backend can be made',
  UPSTREAM_TIMED_OUT: 'the backend did not answer in time',
  UPSTREAM_BAD_RESPONSE: 'the process answered with something that is no HTTP response',
  UPSTREAM_HEAD_TOO_LARGE: 'the process answered with a head that is too large',
  CACHE_UNAVAILABLE: 'the request asks for a kept answer only, and there is none',
  CONNECTIONS_EXHAUSTED: 'there are too many connections',
  // The link between processes.
  LINK_VERSION_MISMATCH: 'the two ends of a link speak different versions',
  LINK_REFUSED: 'the front does not know the process that dialled it',
  LINK_FRAME_INVALID: 'a frame is malformed or longer than the limit',
  PREFIX_INVALID: 'a URL prefix cannot be parsed',
  PREFIX_TAKEN: 'a URL prefix is held by another process',
  PREFIX_RESERVED: 'a URL prefix is reserved for another user',
  PREFIX_UNRESERVED: 'a URL prefix is not reserved for the user who claims it',
  // The debugger.
  DEBUGGER_FORBIDDEN: 'the debugger is closed to this client',
  DEBUGGER_NOT_RUNNING: 'no debugging session exists for the app',
  DEBUGGER_COMMAND_UNKNOWN: 'the debugging command is not known',
  DEBUGGER_PORTS_EXHAUSTED: 'no port of the debugger port range is free',
  DEBUGGEE_UNREACHABLE: 'the inspector of the debuggee did not answer in time',
  DEBUGGER_UI_MISSING: 'the files of the debugger page are not there',
  VIEWER_UNKNOWN: 'the viewer has been away too long or never was',
} as const;

/** One of the stable codes. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** An expected failure. `message` says what, which and the limit; `code` is stable. */
export class HostError extends Error {
  override name = 'HostError';
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The text of anything thrown, for logs. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
