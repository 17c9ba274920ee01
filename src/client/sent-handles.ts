// What cannot go to another process: servers and client sockets that are served over a link have no descriptor behind
// them. Node would take the process down for such a server, and send a message without its socket; here `send`
// throws instead, as it does for every other thing that is no handle.

import { AppHandle } from './app-handle.ts';
import { ExchangeSocket } from './exchange-socket.ts';

type Send = (message: unknown, handle?: unknown, ...rest: unknown[]) => boolean;
/** Node's own name for what `send` calls, of children and of this process. */
interface Channel {
  _send?: Send;
}

function isLinked(handle: unknown): boolean {
  if (typeof handle !== 'object' || handle === null) return false;
  return handle instanceof ExchangeSocket || (handle as { _handle?: unknown })._handle instanceof AppHandle;
}

function guard(channel: Channel): void {
  const { _send: send } = channel;
  if (send === undefined) return;
  channel._send = function refuseLinked(this: Channel, message, handle, ...rest) {
    if (isLinked(handle)) {
      const error = new TypeError('This handle type cannot be sent: what Slipstream serves has no descriptor');
      throw Object.assign(error, { code: 'ERR_INVALID_HANDLE_TYPE' });
    }
    return send.call(this, message, handle, ...rest);
  };
}

/** Guards the channels to children that are made from now on, and the one to the parent. Once per process. */
export function refuseLinkedHandles(): void {
  guard(process as Channel);
  const { ChildProcess } = process.getBuiltinModule('node:child_process');
  // Not in the types: what fork() and spawn() call.
  const prototype = ChildProcess.prototype as unknown as { spawn(options: unknown): unknown };
  const { spawn } = prototype;
  prototype.spawn = function spawnGuarded(this: Channel, options) {
    const result = spawn.call(this as never, options);
    guard(this);
    return result;
  };
}
