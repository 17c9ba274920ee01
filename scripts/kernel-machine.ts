// Runs a program of this project on a kernel of its own, for what the kernel of this machine does not offer: cgroup v2.
//   node dist/scripts/kernel-machine.js --kernel FILE --busybox FILE [--kvm] -- dist/scripts/kernel-limits.js
// It makes an initial file system with node, the libraries that it needs, the build and its packages, and starts it
// with qemu. Needs qemu-system-x86_64, the image of a kernel, a static busybox; ends with the exit code of the program.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, lstatSync, mkdtempSync, readFileSync, readlinkSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { finished } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { PROJECT_ROOT } from './project.ts';

const PLACE = '/slipstream';
const FOLDER = 0o040755;
const PROGRAM = 0o100755;
const LINK = 0o120777;

/** What init does: the usual places, the network of the machine itself, the program. */
const init = (words: readonly string[]): string => `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t cgroup2 cgroup /sys/fs/cgroup
ip link set lo up
export PATH=/bin HOME=/root TMPDIR=/tmp
cd ${PLACE}
uname -sr
/bin/node ${words.map((word) => `'${word}'`).join(' ')}
echo "machine: exit $?"
poweroff -f
`;

/** An archive in the form that the kernel unpacks (newc). */
class Archive {
  readonly #out;
  readonly #known = new Set<string>();
  #count = 0;

  constructor(file: string) {
    this.#out = createWriteStream(file);
  }

  folder(path: string): void {
    if (path === '/' || this.#known.has(path)) return;
    this.folder(dirname(path));
    this.#known.add(path);
    this.#entry(path, FOLDER, Buffer.alloc(0));
  }

  file(path: string, content: Buffer, mode = PROGRAM): void {
    if (this.#known.has(path)) return;
    this.folder(dirname(path));
    this.#known.add(path);
    this.#entry(path, mode, content);
  }

  /** A file, link or folder of this machine, with all below it but `except`. */
  copy(from: string, to: string, except: readonly string[] = []): void {
    if (except.includes(from)) return;
    const stat = lstatSync(from);
    if (stat.isSymbolicLink()) this.file(to, Buffer.from(readlinkSync(from)), LINK);
    else if (stat.isFile()) this.file(to, readFileSync(from), stat.mode);
    else if (stat.isDirectory()) {
      this.folder(to);
      for (const name of readdirSync(from)) this.copy(join(from, name), join(to, name), except);
    }
  }

  async close(): Promise<void> {
    this.#entry('/TRAILER!!!', 0, Buffer.alloc(0));
    this.#out.end();
    await finished(this.#out);
  }

  #entry(path: string, mode: number, content: Buffer): void {
    const name = Buffer.from(`${path.slice(1)}\0`);
    const numbers = [++this.#count, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length, 0];
    const head = Buffer.from(`070701${numbers.map((number) => number.toString(16).padStart(8, '0')).join('')}`);
    for (const part of [Buffer.concat([head, name]), content]) {
      this.#out.write(part);
      this.#out.write(Buffer.alloc((4 - (part.length % 4)) % 4));
    }
  }
}

function linesOf(command: string, words: readonly string[]): string[] {
  const { stdout, status } = spawnSync(command, words, { cwd: PROJECT_ROOT, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${words.join(' ')} ended with ${status}`);
  return stdout.split('\n').filter((line) => line !== '');
}

async function fileSystem(file: string, busybox: string, words: readonly string[]): Promise<void> {
  const archive = new Archive(file);
  for (const folder of ['/proc', '/sys', '/dev', '/tmp', '/root']) archive.folder(folder);
  archive.file('/init', Buffer.from(init(words)));
  archive.file('/bin/busybox', readFileSync(busybox));
  archive.file('/bin/node', readFileSync(process.execPath));
  archive.file('/etc/passwd', Buffer.from('root:x:0:0:root:/root:/bin/sh\n'));
  for (const line of linesOf('ldd', [process.execPath])) {
    const library = /(\/\S+) \(0x/.exec(line)?.[1];
    if (library !== undefined) archive.file(library, readFileSync(library));
  }
  const packages = linesOf('npm', ['ls', '--omit=dev', '--all', '--parseable']).slice(1);
  for (const folder of packages) archive.copy(folder, join(PLACE, folder.slice(PROJECT_ROOT.length)));
  for (const name of ['package.json', 'package-lock.json']) archive.copy(join(PROJECT_ROOT, name), join(PLACE, name));
  archive.copy(join(PROJECT_ROOT, 'dist'), join(PLACE, 'dist'), [join(PROJECT_ROOT, 'dist/devtools')]);
  await archive.close();
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { kernel: { type: 'string' }, busybox: { type: 'string' }, kvm: { type: 'boolean', default: false } },
  });
  const { kernel, busybox, kvm } = values;
  if (kernel === undefined || busybox === undefined || positionals.length === 0) {
    throw new Error('usage: kernel-machine.js --kernel FILE --busybox FILE [--kvm] -- PROGRAM [WORD…]');
  }
  const folder = mkdtempSync(join(tmpdir(), 'slipstream-machine-'));
  try {
    const disk = join(folder, 'files.cpio');
    await fileSystem(disk, busybox, positionals);
    const processor = kvm ? ['-enable-kvm', '-cpu', 'host'] : ['-cpu', 'max'];
    const options = ['-nographic', '-no-reboot', '-m', '2048', '-smp', '2', ...processor];
    const append = 'console=ttyS0 quiet panic=-1';
    const words = [...options, '-kernel', kernel, '-initrd', disk, '-append', append];
    const child = spawn('qemu-system-x86_64', words, { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      process.stdout.write(text);
    });
    await once(child, 'close');
    return Number(/^machine: exit (\d+)/m.exec(output)?.[1] ?? 1);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

process.exitCode = await main();
