// The files that are written for the kernel's limits, in likenesses of /proc and of its groups; and what is said where
// there is nothing of the kind.

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { AppLimits } from './app-limits.ts';
import { ControlGroups } from './control-groups.ts';
import { DEFAULT_APP_SETTINGS, type App } from './app-config.ts';
import type { ExitReport } from './app-process.ts';
import { silentLog } from '../base/log.ts';

const HOST = 4711;
const BOTH = { memoryLimitMb: 64, cpuLimitPercent: 150 };

interface Machine {
  proc: string;
  group: string;
  file(path: string): string;
}

/** A machine on which the host runs in the group /unit with these processes and controllers. */
function machine(t: TestContext, given: { controllers?: string; processes?: number[] } = {}): Machine {
  const { controllers = 'cpuset cpu io memory pids', processes = [HOST, 4712] } = given;
  const place = mkdtempSync(join(tmpdir(), 'slip-groups-'));
  t.after(() => rmSync(place, { recursive: true, force: true }));
  const [proc, mount] = [join(place, 'proc'), join(place, 'cgroup')];
  const group = join(mount, 'unit');
  mkdirSync(join(proc, 'self'), { recursive: true });
  mkdirSync(group, { recursive: true });
  const unified = `30 1 0:27 / ${mount} rw,nosuid shared:4 - cgroup2 cgroup2 rw`;
  const mounts = ['22 1 0:20 / /proc rw - proc proc rw', unified];
  writeFileSync(join(proc, 'self/mountinfo'), `${mounts.join('\n')}\n`);
  writeFileSync(join(proc, 'self/cgroup'), '1:name=systemd:/old\n0::/unit\n');
  for (const [pid, parent] of [[HOST, 1], [4712, HOST], [99, 1]]) {
    mkdirSync(join(proc, String(pid)));
    writeFileSync(join(proc, String(pid), 'stat'), `${pid} (node (x)) S ${parent} 1 1`);
  }
  writeFileSync(join(group, 'cgroup.controllers'), `${controllers}\n`);
  writeFileSync(join(group, 'cgroup.subtree_control'), '\n');
  writeFileSync(join(group, 'cgroup.type'), 'domain\n');
  writeFileSync(join(group, 'cgroup.procs'), processes.map((pid) => `${pid}\n`).join(''));
  return { proc, group, file: (path) => readFileSync(join(group, path), 'utf8') };
}

test('ControlGroups makes a group of its own for the host, hands controllers down and limits the app', (t) => {
  const { proc, group, file } = machine(t);
  mkdirSync(join(group, 'app-old-123'));
  mkdirSync(join(group, 'app-other-99'));
  const groups = new ControlGroups(proc, HOST);
  assert.equal(groups.unavailable(BOTH), undefined);
  assert.equal(file('cgroup.subtree_control'), '\n', 'nothing was changed');
  const made = groups.open('a/b', BOTH);
  assert.equal(made, join(group, `app-a%2Fb-${HOST}`));
  assert.equal(file('slipstream-host/cgroup.procs'), '4712', 'the last of them; the kernel takes one a write');
  assert.equal(file('cgroup.subtree_control'), '+memory +cpu');
  assert.equal(file(`app-a%2Fb-${HOST}/memory.max`), String(64 * 1_048_576));
  assert.equal(file(`app-a%2Fb-${HOST}/cpu.max`), '150000 100000');
  groups.add(made, 5000);
  assert.equal(file(`app-a%2Fb-${HOST}/cgroup.procs`), '5000');
  groups.open('a/b', { memoryLimitMb: 64, cpuLimitPercent: 0 });
  assert.equal(file(`app-a%2Fb-${HOST}/cpu.max`), 'max 100000', 'an edit takes a limit back');
  assert.deepEqual([existsSync(join(group, 'app-old-123')), existsSync(join(group, 'app-other-99'))], [false, true]);
});

test('ControlGroups says why limits cannot be kept', (t) => {
  const without = machine(t, { controllers: 'hugetlb' });
  assert.match(new ControlGroups(without.proc, HOST).unavailable(BOTH)!, /no controller memory and cpu in .*unit$/);
  const shared = machine(t, { processes: [HOST, 99] });
  const groups = new ControlGroups(shared.proc, HOST);
  assert.match(groups.unavailable(BOTH)!, /not the host's .*\(99\)/);
  assert.throws(() => groups.open('a', BOTH), /not the host's/);
  assert.equal(existsSync(join(shared.group, 'slipstream-host')), false);
  const old = machine(t);
  writeFileSync(join(old.proc, 'self/mountinfo'), '22 1 0:20 / /proc rw - proc proc rw\n');
  assert.equal(new ControlGroups(old.proc, HOST).unavailable(BOTH), 'this system has no cgroup v2');
  assert.match(new ControlGroups('/nowhere').unavailable(BOTH)!, /ENOENT/);
});

test('AppLimits lets an app run without limits that nobody keeps, unless they are required', async (t) => {
  const { proc, group, file } = machine(t, { controllers: 'memory' });
  const warned: string[] = [];
  const log = { ...silentLog, warn: (event: string) => void warned.push(event) };
  const limits = new AppLimits(log, new ControlGroups(proc, HOST));
  const app = (settings: Partial<App['settings']>): App =>
    ({ name: 'shop', settings: { ...DEFAULT_APP_SETTINGS.defaults, ...settings } }) as App;
  assert.deepEqual(limits.placeFor(app({})), {});
  assert.deepEqual([limits.placeFor(app(BOTH)), limits.placeFor(app(BOTH))], [{}, {}]);
  assert.deepEqual(warned, ['app-limits-unavailable'], 'once');
  assert.match(limits.placeFor(app({ ...BOTH, limitsRequired: true })).problem!, /no controller cpu .*limitsRequired/);
  const place = limits.placeFor(app({ memoryLimitMb: 10 }));
  assert.equal(place.group, join(group, `app-shop-${HOST}`));
  const run = (pid: number): (() => Promise<void>) => {
    let end!: (report: ExitReport) => void;
    const exited = new Promise<ExitReport>((resolve) => (end = resolve));
    limits.spawned(app({ memoryLimitMb: 10 }), { pid, killNow: () => assert.fail(), exited }, place);
    return async () => void (end({ code: null, signal: 'SIGKILL', stderrTail: '' }), await exited);
  };
  const [first, second] = [run(76), run(77)];
  assert.equal(file(`app-shop-${HOST}/cgroup.procs`), '77');
  writeFileSync(join(place.group!, 'memory.events'), 'oom 3\noom_kill 1\noom_group_kill 0\n');
  await first();
  await second();
  assert.deepEqual(warned.slice(1), ['app-memory-limit'], 'of the one that the kernel killed');
});
