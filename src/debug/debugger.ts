// `slipstream/debugger`: the debugger socket as a library, the contract of debugger plugins, the plugin for V8,
// and a proxy for any debugger that speaks over TCP. docs/debugger-plugins.md has examples.

export {
  DebuggerSocket,
  OUTBOX_BYTES_MAX,
  type DebuggerSocketEvents,
  type DebuggerSocketOptions,
  type Sent,
  type SocketProxy,
} from './debugger-socket.ts';
export { pipeProxySource, PROXY_READY_MARK, type PipeFraming, type PipeProxyOptions } from './pipe-proxy.ts';
export type {
  Breakpoint,
  Callback,
  DebuggedProgram,
  DebuggerEvents,
  DebuggerFeatures,
  DebuggerImplementation,
  DebuggerState,
  Frame,
  Scope,
  Source,
  Variable,
} from './debugger-implementation.ts';
export { InspectorDebugger } from './inspector-debugger.ts';
