// The text of a systemd unit and of a launchd plist. Pure.

import { escapeHtml } from '../base/html.ts';

export interface ServiceFacts {
  name: string;
  /** Absolute paths. */
  node: string;
  cli: string;
  root: string;
  listen: readonly string[];
  isSystem: boolean;
  /** SLIPSTREAM_HOME; undefined: the default. */
  home: string | undefined;
  user: string | undefined;
  /** systemd binds the ports, by a unit of its own. */
  hasSocket?: boolean;
}

/** From SIGTERM to SIGKILL: the host drains for drainTimeoutMs and ends its apps in 2 s. */
const STOP_SECONDS = 30;
const WATCHDOG_SECONDS = 30;

function wordsOf({ node, cli, root, listen }: ServiceFacts): string[] {
  return [node, cli, 'serve', root, ...listen.flatMap((origin) => ['--listen', origin])];
}

/** A word of ExecStart: quoted, with what systemd would expand doubled. */
function unitWord(word: string): string {
  const plain = word.replaceAll('%', '%%').replaceAll('$', '$$$$').replace(/["\\]/g, '\\$&');
  return /[\s'"\\;]/.test(word) ? `"${plain}"` : plain;
}

/**
 * The unit. The host says when it is ready and that it lives (sd_notify); apps may write to their folders, so
 * the sandbox leaves files alone except for those of the system.
 */
export function systemdUnit(facts: ServiceFacts): string {
  const { isSystem, home, user, root } = facts;
  const lines = [
    '[Unit]',
    'Description=Slipstream, a host of Node.js apps',
    'After=network-online.target',
    'Wants=network-online.target',
    ...(facts.hasSocket === true ? [`Requires=${facts.name}.socket`, `After=${facts.name}.socket`] : []),
    '',
    '[Service]',
    'Type=notify',
    '# The host speaks through systemd-notify, which is a process of its own.',
    'NotifyAccess=all',
    `WatchdogSec=${WATCHDOG_SECONDS}`,
    `ExecStart=${wordsOf(facts).map(unitWord).join(' ')}`,
    `WorkingDirectory=${root.replaceAll('%', '%%')}`,
    ...(home === undefined ? [] : [`Environment=${unitWord(`SLIPSTREAM_HOME=${home}`)}`]),
    ...(user === undefined ? [] : [`User=${user}`]),
    'Restart=always',
    'RestartSec=1',
    '# The host lets requests finish and ends its apps by itself; systemd ends what is left.',
    'KillMode=mixed',
    `TimeoutStopSec=${STOP_SECONDS}`,
    '# For memoryLimitMb and cpuLimitPercent of apps: the host divides its own control group.',
    'Delegate=cpu memory',
    'LimitNOFILE=65536',
    'NoNewPrivileges=true',
    ...(isSystem
      ? [
          '# Ports below 1024 without being root.',
          'AmbientCapabilities=CAP_NET_BIND_SERVICE',
          ...(home === '/var/lib/slipstream' ? ['StateDirectory=slipstream', 'StateDirectoryMode=0700'] : []),
          'ProtectSystem=full',
          'PrivateTmp=true',
          'ProtectKernelTunables=true',
          'ProtectKernelModules=true',
          'ProtectKernelLogs=true',
          'ProtectClock=true',
          'ProtectHostname=true',
          'RestrictRealtime=true',
          'LockPersonality=true',
          'RestrictSUIDSGID=true',
        ]
      : []),
    '',
    '[Install]',
    `WantedBy=${isSystem ? 'multi-user.target' : 'default.target'}`,
  ];
  return `${lines.join('\n')}\n`;
}

/** The unit of the ports: they stay open, and connections wait, while the host is started again. */
export function systemdSocket(addresses: readonly string[]): string {
  const lines = [
    '[Unit]',
    'Description=Ports of Slipstream',
    '',
    '[Socket]',
    ...addresses.map((address) => `ListenStream=${address}`),
    'Backlog=511',
    '',
    '[Install]',
    'WantedBy=sockets.target',
  ];
  return `${lines.join('\n')}\n`;
}

/** The plist. */
export function launchdPlist(facts: ServiceFacts): string {
  const { name, home, user, root } = facts;
  const text = (value: string): string => `<string>${escapeHtml(value)}</string>`;
  const words = wordsOf(facts).map((word) => `    ${text(word)}`).join('\n');
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key>${text(name)}
  <key>ProgramArguments</key>
  <array>
${words}
  </array>
  <key>WorkingDirectory</key>${text(root)}
${home === undefined ? '' : `  <key>EnvironmentVariables</key><dict><key>SLIPSTREAM_HOME</key>${text(home)}</dict>\n`}${
    user === undefined ? '' : `  <key>UserName</key>${text(user)}\n`
  }  <key>RunAtLoad</key><true/>
  <key>KeepAlive</key><true/>
  <key>ExitTimeOut</key><integer>${STOP_SECONDS}</integer>
</dict>
</plist>
`;
}
