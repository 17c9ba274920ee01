import assert from 'node:assert/strict';
import { test } from 'node:test';
import { launchdPlist, systemdUnit, type ServiceFacts } from './service-files.ts';

const FACTS: ServiceFacts = {
  name: 'slipstream',
  node: '/opt/node/bin/node',
  cli: '/opt/slip stream/main.js',
  root: '/srv/a&b 100%',
  listen: ['http://*:80'],
  isSystem: true,
  home: '/var/lib/slipstream',
  user: 'web',
};

test('systemdUnit quotes words, tells readiness and is sandboxed', () => {
  const unit = systemdUnit(FACTS);
  const start = 'node "/opt/slip stream/main.js" serve "/srv/a&b 100%%" --listen http://*:80';
  assert.ok(unit.includes(`\nExecStart=/opt/node/bin/${start}\n`));
  for (const line of [
    'Type=notify', 'WatchdogSec=30', 'User=web', 'KillMode=mixed', 'NoNewPrivileges=true',
    'StateDirectory=slipstream', 'Environment=SLIPSTREAM_HOME=/var/lib/slipstream', 'WantedBy=multi-user.target',
  ]) {
    assert.ok(unit.includes(`\n${line}\n`), line);
  }
  const own = systemdUnit({ ...FACTS, isSystem: false, user: undefined, home: undefined });
  assert.ok(own.includes('WantedBy=default.target'));
  assert.ok(!/User=|SLIPSTREAM_HOME|ProtectSystem/.test(own));
});

test('launchdPlist escapes what XML would take for markup', () => {
  const plist = launchdPlist(FACTS);
  assert.ok(plist.includes('<string>/srv/a&amp;b 100%</string>'));
  assert.ok(plist.includes('<key>UserName</key><string>web</string>'));
});
