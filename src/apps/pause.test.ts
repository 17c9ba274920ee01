import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { PauseGate } from './pause.ts';
import { OFFLINE_FILE } from '../wire/offline-page.ts';

test('PauseGate follows the offline page, and a command is stronger', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'slip-pause-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, OFFLINE_FILE);
  const gate = new PauseGate();
  assert.equal(gate.look(folder, 'shop'), undefined);
  writeFileSync(file, '<p>');
  assert.equal(gate.look(folder, 'shop')?.page, '<p>');
  assert.deepEqual([gate.isNew(), gate.isNew()], [true, false]);
  gate.set('none');
  assert.equal(gate.kind, 'offline', 'a command does not take a page away');
  gate.set('stopped');
  assert.equal(gate.look(folder, 'shop')?.code, 'APP_PAUSED');
  rmSync(file);
  assert.equal(gate.look(folder, 'shop')?.code, 'APP_PAUSED');
  gate.set('none');
  assert.equal(gate.look(folder, 'shop'), undefined);
});

test('PauseGate takes a page that is too long or empty for one without text, and a folder for none', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'slip-pause-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, OFFLINE_FILE);
  for (const text of ['', 'x'.repeat(300_000)]) {
    writeFileSync(file, text);
    const failure = new PauseGate().look(folder, 'shop');
    assert.equal(failure?.code, 'APP_OFFLINE');
    assert.equal(failure?.page, undefined);
  }
  rmSync(file);
  mkdirSync(file);
  assert.equal(new PauseGate().look(folder, 'shop'), undefined);
});
