import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { launchdPlist, systemdSocket, systemdUnit, type ServiceFacts } from './service-files.ts';

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
    'ProtectSystem=full', 'ProtectClock=true', 'LockPersonality=true',
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

const hasVerify = spawnSync('systemd-analyze', ['--version']).status === 0;

test('systemd finds nothing wrong with the unit', { skip: !hasVerify && 'no systemd-analyze here' }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'slipstream-unit-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'slipstream.service');
  const socket = join(folder, 'slipstream.socket');
  // Other units of the machine may have faults of their own.
  const complaints = (): string[] => {
    const files = [file, socket].filter((path) => existsSync(path));
    const { stderr } = spawnSync('systemd-analyze', ['verify', ...files], { encoding: 'utf8' });
    return stderr.split('\n').filter((line) => line.includes('slipstream'));
  };
  for (const isSystem of [true, false]) {
    const facts = { ...FACTS, node: process.execPath, root: join(folder, 'a b 100%'), isSystem, user: undefined };
    for (const hasSocket of [false, true]) {
      if (hasSocket) writeFileSync(socket, systemdSocket(['127.0.0.1:8080', '[::1]:8080']));
      writeFileSync(file, systemdUnit({ ...facts, hasSocket }));
      assert.deepEqual(complaints(), []);
    }
    rmSync(socket);
    writeFileSync(file, systemdUnit(facts).replace('Type=notify', 'Type=nothing'));
    assert.equal(complaints().length > 0, true, 'it does look');
  }
});
