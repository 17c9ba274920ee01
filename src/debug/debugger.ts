// `slipstream/debugger`: the debugger socket as a library, and a proxy for any debugger that speaks over TCP.

export {
  DebuggerSocket,
  OUTBOX_BYTES_MAX,
  type DebuggerSocketEvents,
  type DebuggerSocketOptions,
  type Sent,
  type SocketProxy,
} from './debugger-socket.ts';
export { pipeProxySource, PROXY_READY_MARK, type PipeFraming, type PipeProxyOptions } from './pipe-proxy.ts';
