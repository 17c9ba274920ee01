import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createLog } from './log.ts';
import { escapeHtml } from './html.ts';

test('a JSON log writes one object a line with its base fields', () => {
  const lines: string[] = [];
  const log = createLog({ json: true, write: (line) => lines.push(line) }).with({ app: 'shop' });
  log.warn('app-exited', { code: 3 });
  const { time, ...rest } = JSON.parse(lines[0]!) as Record<string, unknown>;
  assert.deepEqual(rest, { level: 'warn', event: 'app-exited', app: 'shop', code: 3 });
  assert.match(String(time), /^\d{4}-/);
});

test('a text log quotes values with spaces and drops what is below its level', () => {
  const lines: string[] = [];
  const log = createLog({ json: false, write: (line) => lines.push(line) });
  log.debug('hidden');
  log.info('started', { reason: 'a file changed', pid: 7, none: undefined });
  assert.equal(lines.length, 1);
  assert.match(lines[0]!, /started reason="a file changed" pid=7\n$/);
});

test('escapeHtml leaves nothing that HTML or a terminal would take for a command', () => {
  assert.equal(escapeHtml(`<a href="x" b='y'>&\u001b[1m`), '&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;[x1B][1m');
});
