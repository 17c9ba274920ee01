// The session's side of <app>/debug/: serves the UI and the viewers of one debuggee over plain HTTP, and
// holds the debuggee's one inspector session as viewers come and go. poll-messages.ts is the protocol;
// access.ts says who may.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { Clock } from '../base/clock.ts';
import { HostError, messageOf } from '../base/host-error.ts';
import type { Log } from '../base/log.ts';
import type { InspectorAddress } from '../wire/inspector-messages.ts';
import type { SessionPause, SessionReport, UnattendedPolicy } from '../wire/session-messages.ts';
import { NO_SIGN_INS, type SignIns } from '../wire/sign-ins.ts';
import type { Opened, PollError } from '../wire/poll-messages.ts';
import { AccessGrants } from './access-grants.ts';
import { isOwnOrigin, type DebuggerAuth, type Visitor } from './access.ts';
import { auditFile, createAuditLog, type AuditEntry, type AuditLog } from './audit-log.ts';
import {
  invalid,
  readBody,
  SEND_BYTES_MAX,
  sendError,
  sendHtml,
  sendJson,
  sendNothing,
  sendText,
  sendWrongMethod,
} from './poll-answer.ts';
import { PollTransport, VIEWERS_MAX, type Viewer, type ViewerEvents } from './poll-transport.ts';
import type { ProgramIds } from './debuggee.ts';
import { LastWords } from './last-words.ts';
import { People } from './people.ts';
import { Programs } from './programs.ts';
import { PAGE_SANDBOX, ProxyAccess, withPageData } from './proxy-access.ts';
import { nameBelow } from './proxy-paths.ts';
import { createSettingsFile, type SettingsFile } from './settings-file.ts';
import { createSourceFiles, readAsUser, type SourceFiles } from './source-file.ts';
import { uiPolicy, type UiFiles } from './ui-files.ts';
import { ViewerSocket } from './viewer-socket.ts';
import { VirtualSession } from './virtual-session.ts';
import { Welcome } from './welcome.ts';

/** What {@link createSessionProxy} needs. */
export interface SessionProxyOptions {
  /** Name of the app, for titles. */
  app: string;
  /** Its path, `/shop/`. */
  appPath: string;
  /** The debuggee. */
  pid: number;
  inspector: InspectorAddress;
  /** Processes of the app that are attached to as well. */
  others?: readonly ProgramIds[];
  /** The debuggee waits for the session; it is let go up to its first line. */
  breakAtStart: boolean;
  /** The debuggee ran before and goes on: its inspector is closed at the end. */
  isLive: boolean;
  /** Paths that end in a slash and mean the debugger: `/shop/debug/`, `/shop/server.js/debug/`. */
  basePaths: readonly string[];
  /** Where the DevTools settings of the app are kept. */
  settingsFile: string;
  /** Where processes below the debuggee offer themselves; undefined: nowhere. */
  childrenFolder?: string | undefined;
  /** Whose requests the debuggee gets. Default everyone. */
  scope?: 'everyone' | 'mine';
  /** What becomes of a pause that nobody looks at. */
  unattended: UnattendedPolicy;
  /** Who runs the program, where that is not this process's user: files are read as that user. */
  user?: { uid: number; gid: number } | undefined;
  /** Links and sessions of visitors, and the audit log. */
  debuggerFolder: string;
  auth: DebuggerAuth;
  /** Who may debug by who they are; default nobody. */
  signIns?: SignIns;
  /** See {@link createAuditLog}. */
  auditMask: readonly string[];
  uiFiles: UiFiles;
  /** True for a person at this machine who came through no proxy. */
  isLocal(request: IncomingMessage): boolean;
  /** How long a session that ended by itself waits for {@link SessionProxy.hearLastWords}, in ms. Default 0. */
  lastWordsWaitMs?: number;
  /** Told how the session stands, whenever that changed. */
  onReport?(report: SessionReport): void;
  clock: Clock;
  log: Log;
}

/** One debugging session. */
export interface SessionProxy {
  /** Serves one request below any of the base paths. */
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** Serves a request to become a WebSocket: that of a viewer, else nothing. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Attached to the inspector. Rejects with HostError DEBUGGEE_UNREACHABLE; `ended` follows. */
  readonly ready: Promise<void>;
  /** The debuggee is gone or the session was closed; why. Viewers still fetch what is left. */
  readonly ended: Promise<string>;
  /** The session is over, and the last viewer has heard so. */
  readonly told: Promise<void>;
  /** A process of the app that came later. */
  add(process: ProgramIds): void;
  /** What the debuggee, which is gone, printed last on stderr. */
  hearLastWords(stderr: string): void;
  /** Lets the debuggee go; viewers hear of it. */
  close(): void;
}

/** Starts a session: dials the inspector at once. */
export function createSessionProxy(options: SessionProxyOptions): SessionProxy {
  return new Session(options);
}

class Session implements SessionProxy {
  readonly ready: Promise<void>;
  readonly ended: Promise<string>;
  readonly told: Promise<void>;
  #options: SessionProxyOptions;
  #programs: Programs;
  #transport: PollTransport;
  #settings: SettingsFile;
  #sources: SourceFiles;
  #access: ProxyAccess;
  #audit: AuditLog;
  #sessions = new Set<VirtualSession>();
  #people: People;
  #welcome: Welcome;
  #farewell: PollError | null = null;
  #isReportDue = false;
  #lastWords: LastWords;
  #tellTold: () => void = () => {};
  #sockets = new WebSocketServer({ noServer: true, maxPayload: SEND_BYTES_MAX, perMessageDeflate: false });

  constructor(options: SessionProxyOptions) {
    const { app, pid, inspector, clock, log, settingsFile } = options;
    this.#options = options;
    const readSource = options.user === undefined ? undefined : readAsUser(options.user);
    this.#programs = new Programs({
      app,
      programs: [{ pid, inspector }, ...(options.others ?? [])],
      childrenFolder: options.childrenFolder,
      unattended: options.unattended,
      readSource,
      armedFile: settingsFile.replace(/(?:\.json)?$/, '.armed.json'),
      clock,
      log,
      attached: (target) => {
        for (const session of this.#sessions) session.attached(target);
      },
      detached: (target) => {
        for (const session of this.#sessions) session.detached(target);
      },
      pauseChanged: () => this.#reportSoon(),
    });
    this.#transport = new PollTransport({
      clock,
      log,
      pressure: (isHigh) => this.#programs.setPressure(isHigh),
    });
    this.#people = new People({
      seen: () => ({ app, scope: options.scope ?? 'everyone', pauses: this.#pauses() }),
      roleGiven: (by, to) => {
        const text = `${to.visitor.name} is given ${to.role}`;
        this.#audit.write({ event: 'role', app: options.appPath, who: by.visitor.name, role: by.role, text });
      },
    });
    const { appPath, auth, signIns = NO_SIGN_INS, debuggerFolder, auditMask, isLocal } = options;
    const grants = new AccessGrants(debuggerFolder);
    this.#access = new ProxyAccess({ app: appPath, auth, grants, signIns }, isLocal);
    this.#welcome = new Welcome({
      clock,
      isWelcome: (visitor) => this.#access.keys.isWelcome(visitor),
      drop: (viewer, reason) => this.#transport.drop(viewer, reason),
    });
    this.#audit = createAuditLog({ file: auditFile(debuggerFolder), maskPatterns: auditMask, log });
    this.#settings = createSettingsFile(settingsFile, log);
    this.#sources = createSourceFiles(() => this.#scripts(), readSource);
    this.ready = this.#programs.attach().catch((error: unknown) => {
      this.#programs.close(messageOf(error));
      throw error;
    });
    // Whoever waits for it hears of it; `ended` says it too.
    this.ready.catch(() => {});
    this.#lastWords = new LastWords(clock);
    this.told = new Promise((resolve) => (this.#tellTold = resolve));
    this.ended = this.#programs.ended.then(async (reason) => {
      // From now on nobody comes in.
      this.#farewell = { code: 'DEBUGGER_NOT_RUNNING', message: `the debugging session is over: ${reason}` };
      return this.#end(reason, await this.#lastWords.wait(options.lastWordsWaitMs ?? 0));
    });
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    response.on('error', (error) => this.#options.log.debug('answer-lost', { reason: error.message }));
    const target = request.url ?? '/';
    const mark = target.indexOf('?');
    const path = mark === -1 ? target : target.slice(0, mark);
    const name = nameBelow(path, this.#options.basePaths);
    const query = new URLSearchParams(mark === -1 ? '' : target.slice(mark + 1));
    if (name === null) {
      sendError(response, 404, invalid('this is no path of the debugger'));
    } else {
      this.#answer(name, query, request, response).catch((error: unknown) => {
        this.#options.log.error('request-failed', { path, reason: messageOf(error) });
        if (!response.headersSent) sendError(response, 500, invalid('the debugger failed to answer'));
        else response.destroy();
      });
    }
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const target = new URL(request.url ?? '/', 'http://proxy');
    const name = nameBelow(target.pathname, this.#options.basePaths) ?? '';
    const { origin, host } = request.headers;
    socket.on('error', () => socket.destroy());
    const path = name.slice('cdp/'.length);
    const isOurs = name.startsWith('cdp/') && isOwnOrigin(origin, host);
    if (isOurs) this.#welcome.check(viewerIn(path));
    const isTaken = isOurs && this.#transport.mayUpgrade(path);
    if (!isTaken) {
      socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    this.#sockets.handleUpgrade(request, socket, head, (opened) => {
      const clock = this.#options.clock;
      const isOpen = this.#transport.upgrade(path, (events) => new ViewerSocket(opened, clock, events));
      // It was dropped meanwhile: a poll tells it why.
      if (!isOpen) opened.close(1008);
    });
  }

  add(process: ProgramIds): void {
    this.#programs.add(process);
  }

  hearLastWords(stderr: string): void {
    this.#lastWords.hear(stderr);
  }

  close(): void {
    this.#lastWords.close();
    if (this.#options.isLive) this.#programs.closeInspectors();
    this.#programs.close('the session was closed');
  }

  async #answer(
    name: string,
    query: URLSearchParams,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const isProtocol = name === 'cdp' || name.startsWith('cdp/');
    if (isProtocol) return this.#handleProtocol(name.slice(4), query, request, response);
    if (request.method !== 'GET' && request.method !== 'HEAD') return sendWrongMethod(response, 'GET, HEAD');
    if (name === '' || name === 'index.html') return this.#sendPage(request, response);
    if (this.#options.uiFiles.serve(request, response, name)) return;
    sendError(response, 404, invalid('the debugger has no such file'));
  }

  async #sendPage(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const verdict = this.#access.judgePage(request);
    if (verdict.kind === 'refused') {
      this.#note(request, { event: 'refused', who: 'unknown', text: verdict.reason });
      return sendError(response, 403, { code: 'DEBUGGER_FORBIDDEN', message: verdict.reason });
    }
    const { visitor } = verdict;
    const { inspector } = this.#options;
    const html = withPageData(await this.#options.uiFiles.page(), {
      key: this.#access.keys.issue(visitor),
      role: visitor.role,
      settings: await this.#settings.all(),
      isOpen: this.#options.auth === 'none',
      ...(inspector.kind === 'port' ? { port: inspector.port } : {}),
    });
    const policy = uiPolicy(request.headers.host);
    response.setHeader('Content-Security-Policy', `${policy}; frame-ancestors 'none'; ${PAGE_SANDBOX}`);
    response.setHeader('Referrer-Policy', 'no-referrer');
    sendHtml(response, html);
  }

  async #handleProtocol(
    rest: string,
    query: URLSearchParams,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    if (request.method === 'OPTIONS') return this.#access.answerPreflight(request, response);
    if (rest === 'alive') {
      if (this.#access.checkOrigin(request, response)) this.#sendAlive(response);
    } else if (rest === 'sign-in') {
      const visitor = await this.#access.signIn(request, response);
      if (visitor !== null) this.#noteVisitor(request, 'signed-in', visitor);
    } else if (rest === '' || rest === 'settings' || rest === 'file') {
      const visitor = this.#access.checkKey(request, response);
      if (visitor !== null) await this.#handleKeyed(rest, visitor, query, request, response);
    } else if (this.#access.checkOrigin(request, response)) {
      this.#welcome.check(viewerIn(rest));
      if (!this.#welcome.mayAsk(viewerIn(rest))) return sendError(response, 429, invalid('it asks too often'));
      this.#transport.handle(rest, query, request, response);
    }
  }

  /** Tells a page whose session ended that there is a new one. */
  #sendAlive(response: ServerResponse): void {
    if (this.#farewell === null) sendNothing(response);
    else sendError(response, 410, this.#farewell);
  }

  async #handleKeyed(
    rest: '' | 'settings' | 'file',
    visitor: Visitor,
    query: URLSearchParams,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const method = rest === 'file' ? 'GET' : 'POST';
    if (request.method !== method) sendWrongMethod(response, method);
    else if (rest === 'file') await this.#sendFile(query.get('url') ?? '', response);
    else if (rest === 'settings') await this.#changeSettings(visitor, request, response);
    else await this.#open(visitor, request, response);
  }

  #note(request: IncomingMessage, entry: Omit<AuditEntry, 'app' | 'from'>): void {
    const from = request.socket.remoteAddress ?? 'unknown';
    this.#audit.write({ ...entry, app: this.#options.appPath, from });
  }

  #noteVisitor(request: IncomingMessage, event: AuditEntry['event'], { name, role }: Visitor): void {
    this.#note(request, { event, who: name, role });
  }

  async #open(visitor: Visitor, request: IncomingMessage, response: ServerResponse): Promise<void> {
    // What the page sends along means nothing, but it has to be taken off the connection.
    if ((await readBody(request, response, SEND_BYTES_MAX)) === null) return;
    try {
      await this.ready;
    } catch (error) {
      return sendError(response, 410, { code: 'DEBUGGER_NOT_RUNNING', message: messageOf(error) });
    }
    if (this.#farewell !== null) return sendError(response, 410, this.#farewell);
    const viewer = this.#transport.open((opened) => this.#join(opened, visitor));
    if (viewer === null) {
      const message = `${VIEWERS_MAX} viewers are open already; close one`;
      return sendError(response, 503, { code: 'DEBUGGER_FORBIDDEN', message });
    }
    const { app, pid, log } = this.#options;
    log.info('viewer-opened', { viewers: this.#transport.count });
    this.#noteVisitor(request, 'attached', visitor);
    const opened: Opened = { viewer: viewer.id, app, pid };
    sendJson(response, 200, JSON.stringify(opened));
  }

  #join(viewer: Viewer, visitor: Visitor): ViewerEvents {
    const { name: who } = visitor;
    const app = this.#options.appPath;
    const send = (text: string): void => viewer.send(text);
    const person = this.#people.join(visitor, send);
    const session = new VirtualSession(() => this.#programs.targets(), send, {
      role: () => person.role,
      audit: (method, text) => this.#audit.write({ event: 'command', app, who, role: person.role, method, text }),
    });
    this.#sessions.add(session);
    this.#reportSoon();
    this.#welcome.add(viewer.id, visitor);
    return {
      message: (message) => {
        if (this.#welcome.check(viewer.id) && !this.#people.perform(person, message)) session.receive(message);
      },
      closed: (reason) => {
        this.#sessions.delete(session);
        this.#people.leave(person);
        this.#reportSoon();
        this.#welcome.remove(viewer.id);
        this.#audit.write({ event: 'left', app, who, text: reason });
        session.close();
        this.#checkTold();
      },
    };
  }

  #pauses(): SessionPause[] {
    return this.#farewell === null ? this.#programs.pauses() : [];
  }

  /** Changes of one turn are told together. */
  #reportSoon(): void {
    if (this.#isReportDue) return;
    this.#isReportDue = true;
    setImmediate(() => {
      this.#isReportDue = false;
      this.#options.onReport?.({ kind: 'report', viewers: this.#people.count, pauses: this.#pauses() });
      this.#people.tellAll();
    });
  }

  async #changeSettings(
    visitor: Visitor,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const body = await readBody(request, response, SEND_BYTES_MAX);
    if (body === null) return;
    // Breakpoints are settings too: who may not set them does not keep them for others either.
    if (this.#people.roleOf(visitor) !== 'full') return sendNothing(response);
    try {
      await this.#settings.change(JSON.parse(body));
      sendNothing(response);
    } catch (error) {
      if (!(error instanceof HostError) && !(error instanceof SyntaxError)) throw error;
      const isLarge = error instanceof HostError && error.code === 'REQUEST_BODY_TOO_LARGE';
      sendError(response, isLarge ? 413 : 400, invalid(error.message));
    }
  }

  async #sendFile(url: string, response: ServerResponse): Promise<void> {
    const content = await this.#sources.read(url);
    if (content === null) sendError(response, 404, invalid('no script that was announced names this file'));
    else sendText(response, 200, 'text/plain; charset=utf-8', content);
  }

  *#scripts(): Iterable<{ url: string; sourceMapURL: string }> {
    for (const { target } of this.#programs.targets()) yield* target.replay.scripts();
  }

  #checkTold(): void {
    if (this.#farewell !== null && this.#sessions.size === 0) this.#tellTold();
  }

  #end(reason: string, stderr: string): string {
    for (const session of this.#sessions) session.ended(reason, stderr);
    this.#reportSoon();
    this.#transport.finish(this.#farewell!);
    this.#checkTold();
    return reason;
  }
}

/** The id of the viewer that a path below `cdp/` begins with. */
function viewerIn(path: string): string {
  return path.split('/', 1)[0]!;
}
