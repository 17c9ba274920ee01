// What the page of the debugger and its session proxy say to each other besides CDP, as commands and events of the
// root session: who is there, where the programs stand, and what each viewer may do.
//
//   Slipstream.enable   {}              -> {}; then Slipstream.changed now, and whenever something of it changed
//   Slipstream.setRole  {viewer, role}  -> {}. Of the full role only; never beyond what the viewer was granted.

import type { SessionPause } from './session-messages.ts';

/** `observe`: look. `step`: also stop and go on. `full`: also run code. */
export type ViewerRole = 'observe' | 'step' | 'full';

/** One viewer, as others see it. */
export interface SeenViewer {
  /** From 1 on, in order of arrival. No secret. */
  viewer: number;
  /** `local`, `anyone` or the beginning of a session's id. */
  name: string;
  role: ViewerRole;
  /** The most that it may be given. */
  granted: ViewerRole;
}

/** Parameters of Slipstream.changed. */
export interface SessionSeen {
  app: string;
  /** Whose requests the programs get. */
  scope: 'everyone' | 'mine';
  /** The one who is told. */
  self: number;
  viewers: SeenViewer[];
  pauses: SessionPause[];
}
