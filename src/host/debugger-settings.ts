// Settings of the host that are about debuggers.

import type { SettingTable } from '../base/setting.ts';

/** Part of the table of the host. */
export const DEBUGGER_SETTINGS = {
  debuggerPortRange: {
    type: 'string',
    default: '5058-6058',
    text: 'Ports on 127.0.0.1 for inspectors (`debuggerTransport: port`), taken in turn; `first-last`, 1025 to 65535.',
  },
  debuggerTransport: {
    type: 'choice',
    default: 'thread',
    choices: ['thread', 'port'],
    text:
      'How the session reaches the inspector of a debuggee: `thread`, by a private socket; `port`, on 127.0.0.1, ' +
      'which every user of this machine reaches. See docs/decisions/0008.',
  },
  debuggerAuth: {
    type: 'choice',
    default: 'link',
    choices: ['link', 'none'],
    text:
      'Who may debug besides people at this machine: `link`, who signs in with `slipstream debug <app>`; ' +
      '`none`, everybody who reaches the port. A debugger runs any code.',
  },
  debuggerUnattended: {
    type: 'choice',
    default: 'auto',
    choices: ['auto', 'hold', 'resume', 'snapshot'],
    text:
      'What happens to a program that stands while no viewer is there: `hold`; `resume` after ' +
      '`debuggerUnattendedAfterMs`; `snapshot`: it goes on at once, and stack and variables are in the console of ' +
      'whoever comes; `auto`: hold where every listener is loopback or the scope is `mine`, else resume.',
  },
  debuggerUnattendedAfterMs: {
    type: 'integer',
    default: 300_000,
    min: 100,
    max: 86_400_000,
    unit: 'ms',
    text: 'How long such a program stands.',
  },
  debuggerGraceMs: {
    type: 'integer',
    default: 30_000,
    min: 1000,
    max: 3_600_000,
    unit: 'ms',
    text:
      'How long a debuggee and its session live without a host: one that starts in that time for the same root and ' +
      'SLIPSTREAM_HOME takes them over.',
  },
  debuggerAuditMask: {
    type: 'strings',
    default: [],
    text: 'Regular expressions. What they match in commands is masked in the audit log of the debugger.',
  },
} as const satisfies SettingTable;
