// What the host tells a session proxy at its start, as one JSON argument. Afterwards the two speak through
// the link (the front says when the proxy serves) and through signals (SIGTERM ends the session).

export interface SessionOptions {
  /** Name of the app, for titles. */
  app: string;
  /** The debuggee. */
  pid: number;
  /** Its inspector on 127.0.0.1. */
  inspectorPort: number;
  /** The debuggee waits for the session before its first user line. */
  breakAtStart: boolean;
  /** The debuggee ran before and goes on: its inspector is closed at the end. */
  isLive: boolean;
  /** How long a pause without a viewer lasts, in ms; null holds it. */
  unattendedMs: number | null;
  /** Paths that end in a slash and mean the debugger: `/shop/debug/`, `/shop/server.js/debug/`. */
  basePaths: string[];
  /** Path of the app, `/shop/`. */
  appPath: string;
  /** Links and sessions of visitors, and the audit log. */
  debuggerFolder: string;
  /** `none` lets everybody in. */
  auth: 'link' | 'none';
  /** Regular expressions; what they match is masked in the audit log. */
  auditMask: string[];
  /** Where the DevTools settings of the app are kept. */
  settingsFile: string;
  /** The built DevTools UI. */
  uiFolder: string;
  /** Log lines are JSON. */
  json: boolean;
}
