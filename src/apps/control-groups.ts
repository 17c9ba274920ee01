// Limits that the kernel keeps: memory and processor time of all processes of an app together, by groups of cgroup v2
// below the one that the host runs in. That needs the controllers there and the right to divide the group, as systemd
// gives it with Delegate=yes. Where it is not so, `unavailable` says why, and nothing is changed.
//
//   <own group>/slipstream-host         the host and what it started before: a group that is divided has no processes
//   <own group>/app-<name>-<host pid>   an app with limits

import { accessSync, constants, existsSync, mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { rmdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { messageOf } from '../base/host-error.ts';
import type { AppSettings } from './app-config.ts';

const HOST_GROUP = 'slipstream-host';
const APP_GROUP = /^app-.*-(\d+)$/;
/** Over which cpu.max counts, in µs. */
const PERIOD_US = 100_000;
const BYTES_PER_MB = 1_048_576;

/** The limits of an app. */
export type KernelLimits = Pick<AppSettings, 'memoryLimitMb' | 'cpuLimitPercent'>;

/** True when the kernel has to keep something. */
export function hasKernelLimits({ memoryLimitMb, cpuLimitPercent }: KernelLimits): boolean {
  return memoryLimitMb > 0 || cpuLimitPercent > 0;
}

/** The controllers that limits need. */
function controllersOf({ memoryLimitMb, cpuLimitPercent }: KernelLimits): string[] {
  return [...(memoryLimitMb > 0 ? ['memory'] : []), ...(cpuLimitPercent > 0 ? ['cpu'] : [])];
}

/** Where the first cgroup v2 hierarchy is mounted, and the path of a process in it; or why there is none. */
function ownGroup(proc: string): string {
  const mounts = read(join(proc, 'self/mountinfo')).split('\n');
  const found = mounts.map((line) => /^\d+ \d+ \S+ (\S+) (\S+) .*- cgroup2 /.exec(line));
  const mount = found.find((one) => one !== null);
  const path = /^0::(\/.*)$/m.exec(read(join(proc, 'self/cgroup')))?.[1];
  if (!mount || path === undefined) throw new Error('this system has no cgroup v2');
  const [, root = '/', place = ''] = mount;
  const below = root !== '/' && path.startsWith(root) ? path.slice(root.length) : path;
  const group = join(place, below);
  return basename(group) === HOST_GROUP ? dirname(group) : group;
}

function read(file: string): string {
  return readFileSync(file, 'utf8');
}

function wordsIn(file: string): string[] {
  return read(file).split(/\s+/).filter((word) => word !== '');
}

/** See the head of this file. */
export class ControlGroups {
  readonly #proc: string;
  readonly #pid: number;
  #base: string | undefined;
  readonly #made = new Set<string>();

  /** `proc` is /proc, or its likeness. */
  constructor(proc = '/proc', pid = process.pid) {
    this.#proc = proc;
    this.#pid = pid;
  }

  /** Why limits could not be kept; undefined when nothing is known against it. Changes nothing. */
  unavailable(limits: KernelLimits): string | undefined {
    try {
      const group = ownGroup(this.#proc);
      this.#check(group, limits);
      return undefined;
    } catch (error) {
      return messageOf(error);
    }
  }

  /** Makes the group of an app with these limits, or gives it these. @throws Error: they cannot be kept */
  open(app: string, limits: KernelLimits): string {
    const base = (this.#base ??= ownGroup(this.#proc));
    this.#check(base, limits);
    this.#divide(base, controllersOf(limits));
    const group = join(base, `app-${encodeURIComponent(app)}-${this.#pid}`);
    if (!existsSync(group)) mkdirSync(group);
    this.#made.add(group);
    const { memoryLimitMb, cpuLimitPercent } = limits;
    const memory = memoryLimitMb > 0 ? String(memoryLimitMb * BYTES_PER_MB) : 'max';
    const cpu = cpuLimitPercent > 0 ? String((cpuLimitPercent * PERIOD_US) / 100) : 'max';
    this.#set(join(group, 'memory.max'), memory, memoryLimitMb > 0);
    // Else the app would be moved to disk, which slows the whole machine, instead of being ended.
    this.#set(join(group, 'memory.swap.max'), memoryLimitMb > 0 ? '0' : 'max', false);
    this.#set(join(group, 'cpu.max'), `${cpu} ${PERIOD_US}`, cpuLimitPercent > 0);
    return group;
  }

  /** Puts a process into a group, before it has children. @throws Error */
  add(group: string, pid: number): void {
    writeFileSync(join(group, 'cgroup.procs'), String(pid));
  }

  /** How many processes of a group the kernel has killed since they took too much memory. */
  memoryKills(group: string): number {
    const file = join(group, 'memory.events');
    return existsSync(file) ? Number(/^oom_kill (\d+)$/m.exec(read(file))?.[1] ?? 0) : 0;
  }

  /** Removes what was made, as far as nothing runs in it. */
  close(): void {
    for (const group of this.#made) remove(group);
    this.#made.clear();
  }

  #set(file: string, value: string, isNeeded: boolean): void {
    if (isNeeded || existsSync(file)) writeFileSync(file, value);
  }

  #check(group: string, limits: KernelLimits): void {
    const there = wordsIn(join(group, 'cgroup.controllers'));
    const missing = controllersOf(limits).filter((name) => !there.includes(name));
    if (missing.length > 0) {
      throw new Error(`cgroup v2 has no controller ${missing.join(' and ')} in ${group}`);
    }
    try {
      accessSync(group, constants.W_OK);
      accessSync(join(group, 'cgroup.subtree_control'), constants.W_OK);
    } catch {
      throw new Error(`the host may not divide its group ${group}: its unit needs Delegate=yes`);
    }
    if (this.#isDivided(group, controllersOf(limits))) return;
    const strangers = this.#strangersIn(group);
    if (strangers.length === 0) return;
    const which = strangers.slice(0, 3).join(', ');
    throw new Error(`processes that are not the host's are in its group ${group} (${which}): run it as a service`);
  }

  #isDivided(group: string, controllers: readonly string[]): boolean {
    const enabled = wordsIn(join(group, 'cgroup.subtree_control'));
    // The root of all groups may have processes.
    return controllers.every((name) => enabled.includes(name)) || !existsSync(join(group, 'cgroup.type'));
  }

  /** Hands controllers down. What is in the group goes into a group of its own before. */
  #divide(group: string, controllers: readonly string[]): void {
    const enabled = wordsIn(join(group, 'cgroup.subtree_control'));
    const wanted = controllers.filter((name) => !enabled.includes(name));
    if (wanted.length === 0) return;
    for (const name of readdirSync(group)) this.#removeOld(group, name);
    if (!this.#isDivided(group, controllers)) {
      const own = join(group, HOST_GROUP);
      if (!existsSync(own)) mkdirSync(own);
      for (const pid of wordsIn(join(group, 'cgroup.procs'))) writeFileSync(join(own, 'cgroup.procs'), pid);
    }
    writeFileSync(join(group, 'cgroup.subtree_control'), wanted.map((name) => `+${name}`).join(' '));
  }

  /** A host that was killed could not remove its groups. */
  #removeOld(group: string, name: string): void {
    const pid = APP_GROUP.exec(name)?.[1];
    if (pid !== undefined && !existsSync(join(this.#proc, pid))) remove(join(group, name));
  }

  #strangersIn(group: string): string[] {
    return wordsIn(join(group, 'cgroup.procs')).filter((pid) => !this.#isOurs(Number(pid)));
  }

  /** True for the host and what descends from it. */
  #isOurs(pid: number): boolean {
    for (let one = pid, steps = 0; one > 1 && steps < 64; steps++) {
      if (one === this.#pid) return true;
      one = this.#parentOf(one);
    }
    return false;
  }

  #parentOf(pid: number): number {
    try {
      return Number(/\) \S (\d+)/.exec(read(join(this.#proc, String(pid), 'stat')))?.[1] ?? 0);
    } catch {
      return 0; // It has ended.
    }
  }
}

function remove(group: string): void {
  try {
    rmdirSync(group);
  } catch {
    // Something runs in it still, or it is gone.
  }
}
