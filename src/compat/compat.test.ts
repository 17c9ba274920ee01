import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { readCompat, type CompatConfig } from './compat.ts';

function folderOf(t: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'slip-compat-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

function web(iisnode: string, more = ''): string {
  return `<configuration>\n<system.webServer>\n<iisnode ${iisnode}/>\n</system.webServer>\n${more}</configuration>`;
}

function read(t: TestContext, files: Record<string, string>, env: Record<string, string> = {}): CompatConfig {
  const config = readCompat(folderOf(t, files), env);
  assert.ok(config !== undefined);
  return config;
}

test('a folder without files of iisnode is left alone', (t) => {
  assert.equal(readCompat(folderOf(t, {}), { IISNODE_LOGGINGENABLED: 'false' }), undefined);
  const other = '<configuration><system.webServer><httpErrors/></system.webServer></configuration>';
  assert.equal(readCompat(folderOf(t, { 'web.config': other }), {}), undefined);
});

test('settings of web.config are mapped, with their places', (t) => {
  const { settings, sources } = read(t, {
    'web.config': web(
      'nodeProcessCountPerApplication="3"\n maxConcurrentRequestsPerProcess="7" gracefulShutdownTimeout="500" ' +
        'loggingEnabled="false" watchedFiles="*.js;lib\\*.json;iisnode.yml" maxLogFileSizeInKB="1" ' +
        'debuggerPathSegment="dbg" nodeProcessStickySessions="TRUE" node_env="production" ' +
        'nodeProcessCommandLine="&quot;%programfiles%\\nodejs\\node.exe&quot; --stack-size=900"',
      '<appSettings><add key="COLOUR" value="red &amp; blue"/><add key="EMPTY" value=""/></appSettings>',
    ),
  });
  assert.equal(settings['processes'], 3);
  assert.equal(settings['concurrencyMax'], 7);
  assert.equal(settings['gracefulShutdownTimeoutMs'], 500);
  assert.equal(settings['loggingEnabled'], false);
  assert.deepEqual(settings['watchedFiles'], ['/*.js', '/lib/*.json', '/iisnode.yml']);
  assert.equal(settings['logFileBytesMax'], 1024);
  assert.equal(settings['debuggerPathSegment'], 'dbg');
  assert.equal(settings['stickySessions'], true);
  assert.deepEqual(settings['nodeArgs'], ['--stack-size=900']);
  const { IISNODE_VERSION: version, ...env } = settings['env'] as Record<string, string>;
  assert.match(version ?? '', /^\d+\.\d+\.\d+$/);
  assert.deepEqual(env, { COLOUR: 'red & blue', EMPTY: '', NODE_ENV: 'production' });
  assert.match(sources['processes'] ?? '', /web\.config:3$/);
  assert.equal(sources['logFormat'], 'default of iisnode');
});

test('iisnode.yml is over variables of the host, those are over web.config', (t) => {
  const files = {
    'web.config': web('nodeProcessCountPerApplication="1" maxLogFiles="1" gracefulShutdownTimeout="1"'),
    'iisnode.yml':
      'nodeProcessCountPerApplication: 3\nunknown: 1\nmaxNamedPipeConnectionRetry: 10\nloggingEnabled: No\n',
  };
  const env = { IISNODE_NODEPROCESSCOUNTPERAPPLICATION: '2', IISNODE_maxLogFiles: '2', IISNODE_VERSION: 'x' };
  const { settings, sources } = read(t, files, env);
  assert.equal(settings['processes'], 3);
  assert.equal(settings['logFilesMax'], 2);
  assert.equal(settings['gracefulShutdownTimeoutMs'], 1);
  assert.equal(settings['startTimeoutMs'], 2500);
  assert.equal(settings['debuggerRetries'], 10);
  assert.equal(settings['loggingEnabled'], false);
  assert.equal(sources['logFilesMax'], 'IISNODE_maxLogFiles');
});

test('variables are expanded where the original does it; both spellings of the port range are known', (t) => {
  const { settings, notes } = read(
    t,
    {
      'iisnode.yml':
        'logDirectory: %Place%\\logs\ndebugPortRange: 6000-6010\ndebuggerPortRange: 6000-6010\nnode_env: %node_env%\n',
    },
    { PLACE: 'here' },
  );
  assert.equal(settings['logDirectory'], 'here/logs');
  assert.equal((settings['env'] as Record<string, string>)['NODE_ENV'], undefined);
  assert.ok(notes.some(({ name, verdict }) => name === 'debuggerPortRange' && verdict === 'ignored'));
});

test('the handler says which script is the app', (t) => {
  const handlers =
    '<handlers><add name="a" path="missing.js" verb="*" modules="iisnode"/>' +
    '<add name="b" path="hello.js" verb="*" modules="iisnode"/><add name="c" path="*.asp" modules="Asp"/></handlers>' +
    '<rewrite><rules/></rewrite><webSocket enabled="false"/>';
  const { entry, notes } = read(t, {
    'web.config':
      '<configuration><location path="."><system.webServer>' +
      `${handlers}</system.webServer></location></configuration>`,
    'hello.js': '',
  });
  assert.equal(entry, 'hello.js');
  const verdicts = notes.map(({ name, verdict }) => `${name} ${verdict}`);
  for (const expected of [
    'hello.js used', 'missing.js ignored', 'rewrite used', 'webSocket ignored', 'handler *.asp ignored',
  ]) {
    assert.ok(verdicts.includes(expected), expected);
  }
});

test('what cannot be read names its place and what was expected', (t) => {
  const rows: [Record<string, string>, RegExp, Record<string, string>?][] = [
    [{ 'web.config': '<configuration>' }, /web\.config:1: <configuration> of line 1 has no end/],
    [{ 'web.config': '<other/>' }, /expected <configuration>/],
    [
      { 'web.config': web('loggingEnable="true"') },
      /web\.config:3: <iisnode> has no setting "loggingEnable"; did you mean "loggingenabled"/,
    ],
    [{ 'web.config': web('loggingEnabled="yes"') }, /"loggingEnabled" is "yes", expected true or false/],
    [{ 'web.config': web('maxLogFiles="many"') }, /"maxLogFiles" is "many", expected a whole number/],
    [{ 'iisnode.yml': 'a' }, /iisnode\.yml:1: a line without a colon/],
    [{ 'iisnode.yml': 'loggingEnabled: maybe' }, /iisnode\.yml:1: "loggingEnabled"/],
    [{ 'web.config': web('') }, /^IISNODE_LOGGINGENABLED: "LOGGINGENABLED" is "on"/, { IISNODE_LOGGINGENABLED: 'on' }],
  ];
  for (const [files, message, env] of rows) {
    assert.throws(() => readCompat(folderOf(t, files), env ?? {}), { code: 'CONFIG_INVALID', message });
  }
});
