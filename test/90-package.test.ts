// What is published: the tarball of `npm pack`, installed in a project of somebody else.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PROJECT_ROOT } from '../scripts/project.ts';
import { startHost } from './host-fixture.ts';
import { get } from './http-client.ts';

const NAVIGATION = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', 'sec-fetch-user': '?1' };

const COMMONJS = `
import slipstream = require('slipstream');
import { http, isLocalRequest } from 'slipstream';
import 'slipstream/register';
slipstream.slipstream();
http().createServer((request, response) => {
  response.cacheDuration = 5;
  response.end(String(isLocalRequest(request)));
});
`;
const MODULE = `
import { http, https, slipstream, type DropIn } from 'slipstream';
import 'slipstream/register';
import { DebuggerSocket } from 'slipstream/debugger';
const more: DropIn = http();
slipstream();
https.slipstream();
http().createServer((request, response) => {
  response.cacheTags = [request.url ?? ''];
  response.end(more.httpsys_version);
});
export { DebuggerSocket };
`;

/** A project with the packed package; what that depends on comes from the checkout. */
function install(place: string): string {
  const npm = ['pack', '--ignore-scripts', '--pack-destination', place, '--loglevel=error'];
  const shell = process.platform === 'win32';
  execFileSync('npm', npm, { cwd: PROJECT_ROOT, shell, stdio: ['ignore', 'ignore', 'inherit'] });
  const tarball = readdirSync(place).find((name) => name.endsWith('.tgz'));
  execFileSync('tar', ['-xzf', tarball!], { cwd: place });
  const modules = join(place, 'project', 'node_modules');
  mkdirSync(modules, { recursive: true });
  renameSync(join(place, 'package'), join(modules, 'slipstream'));
  // A link below the package itself would lead its files back to the checkout.
  for (const name of ['chokidar', 'readdirp', 'tsx', 'ws', 'yaml', 'esbuild', '@types', 'undici-types']) {
    symlinkSync(join(PROJECT_ROOT, 'node_modules', name), join(modules, name), 'junction');
  }
  return join(place, 'project');
}

test('the package works where it is installed: host, debugger, library, types', async (t) => {
  const place = mkdtempSync(join(tmpdir(), 'slipstream-test-'));
  t.after(() => rmSync(place, { recursive: true, force: true }));
  const project = install(place);
  const slipstream = join(project, 'node_modules', 'slipstream');

  await t.test('an app runs and its debugger opens', async (t) => {
    const server = "require('http').createServer((_, response) => response.end('hello')).listen(3000)";
    const program = join(slipstream, 'dist/src/cli/main.js');
    const host = await startHost({ program, files: { 'shop/server.js': server } });
    t.after(() => host.stop());
    assert.equal((await get(`${host.url}shop/`)).text, 'hello');
    const page = await get(`${host.url}shop/debug/`, { headers: NAVIGATION });
    assert.equal(page.status, 200, page.text);
  });

  await t.test('require and import give the same names', () => {
    const script = "import * as names from 'slipstream'; import { createRequire } from 'node:module';" +
      "const required = createRequire(import.meta.url)('slipstream');" +
      'console.log(JSON.stringify([Object.keys(names), Object.keys(required)]))';
    writeFileSync(join(project, 'names.mjs'), script);
    const [imported, required] = JSON.parse(execFileSync(process.execPath, ['names.mjs'], {
      cwd: project, encoding: 'utf8', env: { ...process.env, SLIPSTREAM_JOIN: 'off' },
    })) as string[][];
    assert.deepEqual(imported!.sort(), ['http', 'https', 'isLocalRequest', 'slipstream']);
    assert.deepEqual(required!.sort(), imported);
  });

  await t.test('its types hold in strict programs of both kinds', () => {
    writeFileSync(join(project, 'commonjs.cts'), COMMONJS);
    writeFileSync(join(project, 'module.mts'), MODULE);
    const flags = ['--strict', '--noEmit', '--module', 'node20', '--types', 'node', '--skipLibCheck', 'false'];
    const tsc = join(PROJECT_ROOT, 'node_modules/typescript/bin/tsc');
    const checked = spawnSync(process.execPath, [tsc, ...flags, 'commonjs.cts', 'module.mts'], {
      cwd: project, encoding: 'utf8',
    });
    assert.equal(checked.stdout, '');
  });
});
