// Configuration that comes from elsewhere, and the verbs around it: folders of iisnode, PM2 files, check, migrate,
// init, service install and the service manager.

import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { removedAfter, runCli, startHost } from './host-fixture.ts';
import { get, until } from './http-client.ts';

const ENV_APP = `console.log('up');
require('http').createServer((req, res) => res.end(JSON.stringify({ colour: process.env.COLOUR,
  mode: process.env.NODE_ENV, flags: process.execArgv, args: process.argv.slice(2),
  pid: process.pid }))).listen(process.env.PORT);
`;

function folderWith(t: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'slipstream-config-'));
  removedAfter(t, folder);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

/** The web.config that Azure App Service makes for node apps. */
const AZURE = `<?xml version="1.0" encoding="utf-8"?>
<configuration>
  <system.webServer>
    <webSocket enabled="false" />
    <handlers>
      <add name="iisnode" path="start.js" verb="*" modules="iisnode"/>
    </handlers>
    <rewrite>
      <rules>
        <rule name="NodeInspector" patternSyntax="ECMAScript" stopProcessing="true">
          <match url="^start.js\\/debug[\\/]?" />
        </rule>
        <rule name="StaticContent">
          <action type="Rewrite" url="public{REQUEST_URI}"/>
        </rule>
        <rule name="DynamicContent">
          <conditions>
            <add input="{REQUEST_FILENAME}" matchType="IsFile" negate="True"/>
          </conditions>
          <action type="Rewrite" url="start.js"/>
        </rule>
      </rules>
    </rewrite>
    <security><requestFiltering><hiddenSegments><remove segment="bin"/></hiddenSegments></requestFiltering></security>
    <httpErrors existingResponse="PassThrough" />
    <iisnode watchedFiles="web.config;*.js" loggingEnabled="1"
             node_env="production" nodeProcessCountPerApplication="2"/>
  </system.webServer>
  <appSettings><add key="COLOUR" value="red"/></appSettings>
</configuration>
`;

test('a folder of iisnode runs as it is: entry, environment, processes and log files', async (t) => {
  const host = await startHost({
    files: {
      'old/web.config': AZURE,
      'old/start.js': ENV_APP,
      'old/iisnode.yml': 'nodeProcessCommandLine: node --stack-size=900\n',
    },
  });
  t.after(() => host.stop());
  const got = await get(`${host.url}old/any/path`);
  assert.equal(got.status, 200, got.text);
  const seen = JSON.parse(got.text) as { colour: string; mode: string; flags: string[]; pid: number };
  assert.equal(seen.colour, 'red');
  assert.equal(seen.mode, 'production');
  assert.ok(seen.flags.includes('--stack-size=900'));
  const folder = join(host.root, 'old', 'iisnode');
  const names = await until('log files of both processes', () => {
    const found = existsSync(folder) ? readdirSync(folder) : [];
    return found.length === 2 ? found : undefined;
  });
  const own = names.find((name) => name.includes(`-${seen.pid}-stdout-`));
  assert.match(own ?? '', /^[\w.-]+-\d+-stdout-\d+\.txt$/);
  assert.equal(readFileSync(join(folder, own!), 'utf8'), 'up\r\n');
  const logPage = await get(`${host.url}old/iisnode/`);
  assert.match(logPage.text, new RegExp(`href="/old/iisnode/${own!}"`));
  const index = await get(`${host.url}old/iisnode/index.html`);
  assert.match(index.text, /<th>Computer name<th>PID<th>Type<th>Created[^<]*<th>Bytes<th>Link/);
  assert.ok(index.text.includes(`href="/old/iisnode/${own!}"`), 'the same by its name in the original');
  assert.equal((await get(`${host.url}old/iisnode/${own!}`)).text, 'up\r\n');
  for (const path of ['old/iisnode/../web.config', 'old/iisnode/..%2fweb.config', 'old/iisnode/none.txt']) {
    assert.doesNotMatch((await get(host.url + path)).text, /configuration/, path);
  }
  const far = await get(`${host.url}old/iisnode/`, { headers: { 'x-forwarded-for': '1.2.3.4' } });
  assert.equal(far.status, 404);
  assert.equal(host.output().match(/compat-ignored .*settings=.*webSocket/g)?.length, 1);
  const { stdout } = await runCli(['config', 'explain', 'old'], host.home);
  assert.match(stdout, /^processes +2 +\S+web\.config:27$/m);
  assert.match(stdout, /^nodeArgs +\["--stack-size=900"\] +\S+iisnode\.yml:1$/m);
  const page = await get(`${host.url}old/start.js/debug?x=1`);
  assert.equal(page.status, 301, 'the debugger needs no exclusion');
});

test('a broken web.config keeps what was good, and is mended by an edit', async (t) => {
  const host = await startHost({ files: { 'old/web.config': AZURE, 'old/start.js': ENV_APP } });
  t.after(() => host.stop());
  const colour = async (): Promise<string> =>
    (JSON.parse((await get(`${host.url}old/`)).text) as { colour: string }).colour;
  assert.equal(await colour(), 'red');
  const file = join(host.root, 'old', 'web.config');
  writeFileSync(file, AZURE.replace('loggingEnabled', 'loggingEnable'));
  await host.line(/config-rejected.*loggingEnable/);
  assert.equal(await colour(), 'red');
  writeFileSync(file, AZURE.replace('value="red"', 'value="blue"'));
  await until('the new colour', async () => ((await colour()) === 'blue' ? true : undefined));
});

test('check says what of a folder is used, mapped, ignored or wrong', async (t) => {
  const folder = folderWith(t, {
    'old/web.config': AZURE, 'old/start.js': ENV_APP,
    'new/server.js': '', 'new/slipstream.yml': 'proceses: 2\n',
    'cut/web.config': '<configuration><a></configuration>', 'cut/server.js': '',
    'slipstream.yml': 'apps: {gone: {processes: 2}}\n',
  });
  const { code, stdout } = await runCli(['check', folder]);
  assert.equal(code, 1);
  assert.match(stdout, /used +start\.js +the entry of the app/);
  assert.match(stdout, /mapped +nodeProcessCountPerApplication +processes/);
  assert.match(stdout, /used +rewrite +3 rules/);
  assert.match(stdout, /! .*new\/slipstream\.yml:1: unknown setting "proceses"; did you mean "processes"\?/);
  assert.match(stdout, /! .*cut\/web\.config:1: an end that does not fit/);
  assert.match(stdout, /settings for \/gone\/, where no app is/);
  const good = folderWith(t, { 'server.js': '' });
  const json = await runCli(['check', good, '--json']);
  assert.equal(json.code, 0);
  assert.equal((JSON.parse(json.stdout) as { apps: { entry: string }[] }).apps[0]?.entry, 'server.js');
});

test('migrate writes a slipstream.yml that runs the app without the old files', async (t) => {
  const folder = folderWith(t, { 'web.config': AZURE, 'start.js': ENV_APP });
  const first = await runCli(['migrate', folder]);
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stderr, /not taken over: .*rewrite/);
  assert.match((await runCli(['migrate', folder])).stderr, /FILE_EXISTS/);
  rmSync(join(folder, 'web.config'));
  const host = await startHost({ root: folder });
  t.after(() => host.stop());
  const seen = JSON.parse((await get(host.url)).text) as { colour: string; mode: string };
  assert.deepEqual([seen.colour, seen.mode], ['red', 'production']);
});

test('migrate takes web.config, variables and iisnode.yml together: the later ones win', async (t) => {
  const settings = 'node_env="first" nodeProcessCountPerApplication="2" maxLogFiles="5" maxLogFileSizeInKB="64" ' +
    'gracefulShutdownTimeout="1000"';
  const folder = folderWith(t, {
    'web.config': '<configuration><system.webServer><handlers><add name="i" path="start.js" verb="*" ' +
      `modules="iisnode"/></handlers><iisnode ${settings}/></system.webServer>` +
      '<appSettings><add key="COLOUR" value="red"/></appSettings></configuration>',
    'iisnode.yml': 'node_env: third\nmaxLogFiles: 7 # here\nmaxLogFileSizeInKB:\nenableXFF: yes\n',
    'start.js': ENV_APP,
  });
  const variables = {
    IISNODE_node_env: 'second', IISNODE_gracefulShutdownTimeout: '2000', IISNODE_maxLogFiles: '6',
  };
  const migrated = await runCli(['migrate', folder], undefined, variables);
  assert.equal(migrated.code, 0, migrated.stderr);
  rmSync(join(folder, 'web.config'));
  rmSync(join(folder, 'iisnode.yml'));
  const host = await startHost({ root: folder });
  t.after(() => host.stop());
  const seen = JSON.parse((await get(host.url)).text) as { colour: string; mode: string };
  assert.deepEqual([seen.colour, seen.mode], ['red', 'third']);
  const explained = await runCli(['config', 'explain', '/', '--json'], host.home);
  const rows = (JSON.parse(explained.stdout) as { settings: { name: string; value: unknown }[] }).settings;
  const valueOf = Object.fromEntries(rows.map(({ name, value }) => [name, value]));
  assert.deepEqual(
    ['processes', 'logFilesMax', 'logFileBytesMax', 'gracefulShutdownTimeoutMs', 'forwardedForLocal', 'entry']
      .map((name) => valueOf[name]),
    [2, 7, 65_536, 2000, true, 'start.js'],
  );
});

test('migrate reads a PM2 ecosystem file', async (t) => {
  const folder = folderWith(t, {
    'ecosystem.config.js':
      "module.exports = { apps: [{ name: 'api', script: './api/run.js', args: 'one two', instances: 2,\n" +
      "env: { COLOUR: 'green' }, cron_restart: '0 0 * * *' },\n" +
      "{ name: 'web', script: 'npm', args: 'start', cwd: './web', env: { COLOUR: 'blue' } }] };",
    'api/run.js': ENV_APP,
    'web/own.js': ENV_APP,
    'web/package.json': '{"scripts": {"start": "node own.js --fast"}}',
  });
  const migrated = await runCli(['migrate', folder]);
  assert.equal(migrated.code, 0, migrated.stderr);
  assert.match(migrated.stderr, /cron_restart/);
  const host = await startHost({ root: folder });
  t.after(() => host.stop());
  const seen = JSON.parse((await get(`${host.url}api/`)).text) as { colour: string; args: string[] };
  assert.equal(seen.colour, 'green');
  assert.deepEqual(seen.args, ['one', 'two']);
  const web = JSON.parse((await get(`${host.url}web/`)).text) as { colour: string; args: string[] };
  assert.deepEqual([web.colour, web.args], ['blue', ['--fast']]);
  assert.match((await runCli(['migrate', folderWith(t, {})])).stderr, /nothing to migrate/);
});

test('init writes settings that a host takes, and a schema for editors', async (t) => {
  const folder = folderWith(t, { 'server.js': ENV_APP });
  assert.equal((await runCli(['init', folder])).code, 0);
  assert.match((await runCli(['init', folder])).stderr, /FILE_EXISTS/);
  const schema = JSON.parse(readFileSync(join(folder, 'slipstream.schema.json'), 'utf8')) as {
    properties: Record<string, unknown>;
    $defs: { app: { properties: Record<string, { default: unknown }> } };
  };
  assert.ok('listen' in schema.properties);
  assert.equal(schema.$defs.app.properties['processes']?.default, 1);
  assert.equal((await runCli(['check', folder])).code, 0);
});

test('service install writes a unit, and the host tells systemd that it is ready and that it stops', async (t) => {
  const folder = folderWith(t, { 'shop/server.js': ENV_APP });
  const unit = await runCli(['service', 'install', folder, '--print', '--listen', 'http://127.0.0.1:0']);
  if (process.platform === 'linux') assert.match(unit.stdout, /^ExecStart=.*main\.js serve .* --listen http/m);
  else assert.equal(unit.code, 0);
  const held = ['service', 'install', folder, '--print', '--kind', 'systemd', '--socket'];
  const { stdout: units } = await runCli([...held, '--listen', 'http://localhost:8080', '--listen', 'https://*']);
  assert.match(units, /^Requires=slipstream\.socket$[^]*^\[Socket\]\nListenStream=127\.0\.0\.1:8080\n/m);
  assert.match(units, /^ListenStream=\[::1\]:8080\nListenStream=\[::\]:443\n/m);
  assert.match((await runCli(held)).stderr, /--socket needs the ports/);
  const plist = await runCli(['service', 'install', folder, '--print', '--kind', 'launchd', '--listen', 'http://*:80']);
  assert.match(plist.stdout, /^<\?xml [^]*<plist version="1.0">\s*<dict>[^]*<string>serve<\/string>[^]*<\/plist>\n$/);
  const words = [...plist.stdout.matchAll(/<string>(.*?)<\/string>/g)].map(([, word]) => word);
  assert.ok(words.includes(folder) && words.includes('http://*:80') && words.includes(process.execPath), plist.stdout);
  const other = await runCli(['service', 'install', folder, '--kind', 'x']);
  assert.match(other.stderr, /systemd or launchd.*OPTION_INVALID/);
  assert.equal((await runCli(['service', 'remove'])).code, 2);
  // What systemd would hear is written to a file by a program with the name of its own.
  const heard = join(folder, 'heard');
  const speaker = join(folder, 'bin', 'systemd-notify');
  mkdirSync(dirname(speaker));
  writeFileSync(speaker, `#!/bin/sh\necho "$2" >> '${heard}'\n`);
  chmodSync(speaker, 0o755);
  const host = await startHost({
    root: folder,
    env: {
      PATH: `${dirname(speaker)}:${process.env['PATH'] ?? ''}`,
      NOTIFY_SOCKET: '/run/none',
      WATCHDOG_USEC: '400000',
    },
  });
  t.after(() => host.stop());
  const heardWords = (): string[] => (existsSync(heard) ? readFileSync(heard, 'utf8').trim().split('\n') : []);
  await until('life', () => (heardWords().includes('WATCHDOG=1') ? true : undefined));
  assert.equal(heardWords()[0], 'READY=1');
  await host.stop();
  await until('the end', () => (heardWords().includes('STOPPING=1') ? true : undefined));
});
