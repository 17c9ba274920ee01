import assert from 'node:assert/strict';
import { mkdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeFolder, writeFiles } from './fake-front.test.ts';
import { linkedPackages } from './linked-packages.ts';

test('linkedPackages finds the packages of a workspace, and what these use, but nothing installed', async (t) => {
  const root = makeFolder();
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const needs = (...names: string[]): string =>
    JSON.stringify({ dependencies: Object.fromEntries(names.map((name) => [name, '*'])) });
  writeFiles(root, {
    'apps/shop/package.json': needs('@shop/price', 'express', 'pnpm-like', 'missing', '../evil', 'self'),
    'packages/price/package.json': needs('tax', '@shop/price'),
    'packages/tax/package.json': '{ broken',
    'node_modules/express/package.json': '{}',
    'node_modules/.pnpm/p@1/node_modules/p/package.json': '{}',
  });
  mkdirSync(join(root, 'node_modules/@shop'));
  const link = (target: string, path: string): void => symlinkSync(join(root, target), join(root, path), 'junction');
  link('packages/price', 'node_modules/@shop/price');
  link('packages/tax', 'node_modules/tax');
  link('node_modules/.pnpm/p@1/node_modules/p', 'node_modules/pnpm-like');
  link('apps/shop', 'node_modules/self');
  const real = realpathSync(root);
  assert.deepEqual(await linkedPackages(join(root, 'apps/shop')),
    [join(real, 'packages/price'), join(real, 'packages/tax')]);
  assert.deepEqual(await linkedPackages(join(root, 'packages/tax')), []);
  assert.deepEqual(await linkedPackages(join(root, 'nowhere')), []);
});
