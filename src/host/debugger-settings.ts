// Settings of the host that are about debuggers.

import { HostError } from '../base/host-error.ts';
import type { SettingsOf, SettingTable } from '../base/setting.ts';
import type { SignInRole, SignIns } from '../wire/sign-ins.ts';

/** Part of the table of the host. */
export const DEBUGGER_SETTINGS = {
  debuggerListen: {
    type: 'strings',
    default: [],
    text:
      'Listeners of the debuggers alone, such as `https://*:9443`, so that they have another origin than the apps. ' +
      'Elsewhere their URLs are not found then, or lead people at this machine there. Holds after a restart.',
  },
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
  debuggerHosts: {
    type: 'strings',
    default: [],
    text:
      'Names, without ports, by which debuggers may be asked for besides those of loopback. Empty: any; with ' +
      '`debuggerAuth: none` only addresses, since every site can make its own name point to this machine.',
  },
  debuggerUserField: {
    type: 'string',
    default: '',
    text:
      'Field in which a proxy in front names the user whom it has signed in, such as `X-Remote-User`. It is believed ' +
      'from `trustedProxies`, which must set or remove it in every request, and taken from everybody else. Where ' +
      'apps of other users run, a proxy on loopback has to be of the user of the host or of root.',
  },
  debuggerUsers: {
    type: 'map',
    default: {},
    text: 'Such users who may debug, with their role: `alice: full`, or `step`, or `observe`. `*` is any user.',
  },
  debuggerCertificates: {
    type: 'map',
    default: {},
    text:
      'Client certificates that may debug, with their role: by SHA-256 fingerprint, or by subject as in ' +
      '`"O=Example, CN=alice": full`. Only those that their listener trusts (`tls.clients`).',
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

type DebuggerSettings = SettingsOf<typeof DEBUGGER_SETTINGS>;

const ROLES: readonly string[] = ['observe', 'step', 'full'] satisfies SignInRole[];

/** What the table cannot tell. `placeOf` names the line of a setting. @throws HostError CONFIG_INVALID */
export function checkSignIns(settings: DebuggerSettings, placeOf: (path: readonly string[]) => string): void {
  for (const name of ['debuggerUsers', 'debuggerCertificates'] as const) {
    for (const [who, role] of Object.entries(settings[name])) {
      if (ROLES.includes(role)) continue;
      const message = `${placeOf([name, who])}: "${role}" is no role; expected ${ROLES.join(', ')}`;
      throw new HostError('CONFIG_INVALID', message);
    }
  }
  const { debuggerUserField: field, debuggerUsers: users } = settings;
  if (field !== '' && !/^[A-Za-z][A-Za-z0-9-]{1,63}$/.test(field)) {
    throw new HostError('CONFIG_INVALID', `${placeOf(['debuggerUserField'])}: "${field}" is no name of a field`);
  }
  if (field === '' && Object.keys(users).length > 0) {
    throw new HostError('CONFIG_INVALID', `${placeOf(['debuggerUsers'])}: users need debuggerUserField`);
  }
}

/** Who may debug, and what of it is written down. What is `current` may change. */
export function debuggerRules(
  { debuggerAuth, debuggerAuditMask: auditMask }: DebuggerSettings,
  current: () => DebuggerSettings,
): { auth: 'link' | 'none'; signIns(): SignIns; auditMask: readonly string[] } {
  return {
    auth: debuggerAuth === 'none' ? 'none' : 'link',
    auditMask,
    signIns: () => ({
      userField: current().debuggerUserField.toLowerCase(),
      users: current().debuggerUsers as SignIns['users'],
      certificates: current().debuggerCertificates as SignIns['certificates'],
      hosts: current().debuggerHosts.map((name) => name.toLowerCase()),
    }),
  };
}
