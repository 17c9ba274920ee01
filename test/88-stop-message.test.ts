// Processes that are told to stop by a message, as on Windows, where a signal would end them at once: what programs
// hear of it, and that requests under way are answered.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCli, startHost } from './host-fixture.ts';
import { get, isAlive, until } from './http-client.ts';

const HTTP = `const server = require('http').createServer((request, response) => {
  const answer = () => response.end(process.pid + ' ' + (process.env.SLIPSTREAM_STOP ?? 'nothing'));
  if (!request.url.includes('hold')) return answer();
  console.log('held');
  const timer = setInterval(() => {
    if (!require('fs').existsSync('go')) return;
    clearInterval(timer);
    answer();
  }, 20);
}).listen(process.env.PORT);
process.on('exit', (code) => require('fs').writeSync(1, 'exit ' + code + '\\n'));
`;
const PROGRAMS = {
  // Ends when nothing is left to do: neither the message nor its pipe keeps it.
  polite: "process.on('SIGTERM', (...about) => { console.log('heard ' + about); server.close(); });",
  pm2: "process.on('message', (message) => { console.log('heard ' + message); process.exit(0); });",
  plain: '',
  deaf: "process.on('SIGTERM', () => console.log('heard and stayed'));",
};

test('a program hears of its end as SIGTERM, as the message of PM2, or not at all; who stays is killed', {
  timeout: 60_000,
}, async (t) => {
  const files = Object.fromEntries(
    Object.entries(PROGRAMS).map(([name, program]) => [`${name}/server.js`, `${HTTP}${program}`]),
  );
  const host = await startHost({ files, env: { SLIPSTREAM_STOP_BY: 'message' } });
  t.after(() => host.stop());
  const pidOf = async (name: string): Promise<number> => {
    const [pid, variable] = (await get(`${host.url}${name}/`)).text.split(' ');
    assert.equal(variable, 'nothing', 'the program does not see how');
    return Number(pid);
  };
  const names = Object.keys(PROGRAMS);
  const old = await Promise.all(names.map(pidOf));
  const held = get(`${host.url}plain/?hold`);
  await host.line(/app-output app=plain .*held/);
  const reloaded = await runCli(['reload', '--all'], host.home);
  assert.equal(reloaded.code, 0, reloaded.stderr);
  await host.line(/app-output app=polite .*heard SIGTERM,15/);
  await host.line(/app-output app=polite .*exit 0/);
  await host.line(/app-output app=pm2 .*heard shutdown/);
  await host.line(/app-output app=deaf .*heard and stayed/);
  assert.doesNotMatch(host.output(), /app-output app=plain .*exit/, 'it has a request still');
  writeFileSync(join(host.root, 'plain/go'), '');
  assert.equal((await held).text, `${old[names.indexOf('plain')]} nothing`);
  await host.line(/app-output app=plain .*exit 143/);
  await until('all old ones are gone', () => (old.some(isAlive) ? undefined : true));
  assert.doesNotMatch(host.output(), /app-process-lost|app-output app=deaf .*exit/, 'asked for, and killed');
});

test('the end of the host is told in the same way', { timeout: 60_000 }, async (t) => {
  const host = await startHost({
    files: { 'plain/server.js': HTTP, 'debugged/server.js': HTTP }, env: { SLIPSTREAM_STOP_BY: 'message' },
  });
  t.after(() => host.stop());
  assert.match((await get(`${host.url}plain/`)).text, /nothing/);
  assert.equal((await get(`${host.url}debugged/debug/`)).status, 200);
  assert.match((await get(`${host.url}debugged/`)).text, /nothing/, 'a debuggee has a pipe too');
  assert.equal((await host.stop()).code, 0);
  assert.match(host.output(), /app-output app=plain .*exit 143/);
});
