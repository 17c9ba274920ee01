// The command line's end of the control socket: finds the running host by SLIPSTREAM_HOME, asks, passes on
// what comes.

import * as net from 'node:net';
import { join } from 'node:path';
import { HostError, messageOf } from '../base/host-error.ts';
import { backgroundHome, homeFolder, rootOf, runFolders } from '../host/run-folder.ts';
import { CONTROL_LINE_BYTES_MAX, CONTROL_SOCKET } from '../wire/control-messages.ts';
import type { ControlReply, ControlRequest } from '../wire/control-messages.ts';

export interface AskOptions {
  /** Which host, where several run for one home. */
  pid?: number | undefined;
  /** Gets what comes before the end. */
  onReply?: (reply: Extract<ControlReply, { kind: 'progress' | 'output' }>) => void;
  /** Gives up; the promise resolves with null then. */
  signal?: AbortSignal;
}

/** The control socket of the host. @throws HostError HOST_NOT_RUNNING, HOST_AMBIGUOUS */
export function findControlSocket(pid?: number): string {
  const home = homeFolder();
  const own = runFolders(home);
  // Where nobody serves, the host that a program started is meant.
  const isAsked = own.size > 0 && (pid === undefined || own.has(pid));
  const folders = isAsked ? own : runFolders(backgroundHome(home));
  if (pid !== undefined) {
    const folder = folders.get(pid);
    if (folder !== undefined) return join(folder, CONTROL_SOCKET);
    throw new HostError('HOST_NOT_RUNNING', `no host with pid ${pid} runs for ${home} (SLIPSTREAM_HOME)`);
  }
  if (folders.size > 1) {
    const hosts = [...folders].map(([one, folder]) => [one, rootOf(folder)].filter(Boolean).join(' for ')).join(', ');
    throw new HostError('HOST_AMBIGUOUS', `several hosts run for ${home}: name one with --host PID: ${hosts}`);
  }
  const [folder] = folders.values();
  if (folder !== undefined) return join(folder, CONTROL_SOCKET);
  throw new HostError(
    'HOST_NOT_RUNNING',
    `no host runs for ${home}; start one with "slipstream serve", or set SLIPSTREAM_HOME as it has it`,
  );
}

/**
 * Asks the running host; resolves with the result of `done`.
 * @throws HostError HOST_NOT_RUNNING, HOST_AMBIGUOUS, CONTROL_LOST, and what the host answers.
 */
export async function askHost(request: ControlRequest, options: AskOptions = {}): Promise<unknown> {
  const path = findControlSocket(options.pid);
  const socket = net.connect(path);
  socket.setEncoding('utf8');
  const { signal } = options;
  const giveUp = (): void => void socket.destroy();
  signal?.addEventListener('abort', giveUp, { once: true });
  try {
    socket.write(`${JSON.stringify(request)}\n`);
    for await (const reply of repliesOf(socket)) {
      if (reply.kind === 'done') return reply.result;
      if (reply.kind === 'failed') throw failureOf(reply);
      options.onReply?.(reply);
    }
  } catch (error) {
    if (error instanceof HostError) throw error;
    if (signal?.aborted !== true) throw lost(error);
  } finally {
    signal?.removeEventListener('abort', giveUp);
    socket.destroy();
  }
  if (signal?.aborted === true) return null;
  throw new HostError('CONTROL_LOST', 'the host hung up before it answered');
}

function failureOf(reply: ControlReply & { kind: 'failed' }): Error {
  const { code, message } = reply;
  return code === 'INTERNAL' ? new Error(`the host failed: ${message}`) : new HostError(code, message);
}

function lost(error: unknown): HostError {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ECONNREFUSED' || code === 'ENOENT') {
    return new HostError('HOST_NOT_RUNNING', 'the host is just starting or has just ended', { cause: error });
  }
  return new HostError('CONTROL_LOST', `the host cannot be asked: ${messageOf(error)}`, { cause: error });
}

async function* repliesOf(socket: net.Socket): AsyncGenerator<ControlReply> {
  let rest = '';
  for await (const chunk of socket as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop()!;
    if (rest.length > CONTROL_LINE_BYTES_MAX) throw new Error('a line of the host is too long');
    for (const line of lines) yield JSON.parse(line) as ControlReply;
  }
}
