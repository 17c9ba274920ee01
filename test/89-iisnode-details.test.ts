// What folders of iisnode see and show, word by word: the environment, log files, server variables, pages, turns of the
// processes, what a change of a file does. The tables of its behaviours name these tests.

import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { startHost, type RunningHost } from './host-fixture.ts';
import { get, until } from './http-client.ts';

const HTTP = `require('http').createServer(answer).listen(process.env.PORT);`;
const TELL = `${HTTP} function answer(request, response) {
  response.end(JSON.stringify({ pid: process.pid, raw: request.rawHeaders, env: process.env }));
}`;

interface Told {
  pid: number;
  raw: string[];
  env: Record<string, string>;
}

/** A folder `name` with one script, as IIS has it. */
function folder(name: string, program: string, iisnode = ''): Record<string, string> {
  const handlers = '<handlers><add name="i" path="app.js" verb="*" modules="iisnode"/></handlers>';
  return {
    [`${name}/web.config`]:
      `<configuration><system.webServer>${handlers}<iisnode ${iisnode}/></system.webServer></configuration>`,
    [`${name}/app.js`]: program,
  };
}

async function hostWith(
  t: TestContext,
  files: Record<string, string>,
  env: Record<string, string> = {},
): Promise<RunningHost> {
  const host = await startHost({ files, env });
  t.after(() => host.stop());
  return host;
}

async function told(url: string): Promise<Told> {
  const { status, text } = await get(url);
  assert.equal(status, 200, text);
  return JSON.parse(text) as Told;
}

test('the environment: NODE_ENV of the host, variables of the log, a file of another name', async (t) => {
  const host = await hostWith(t, {
    ...folder('plain', TELL),
    ...folder('empty', TELL, 'node_env=""'),
    ...folder('literal', TELL, 'node_env="%node_env%"'),
    ...folder('log', TELL, 'maxLogFiles="7" maxLogFileSizeInKB="9" logDirectory="a\\b"'),
    ...folder('quiet', `console.log('up'); ${TELL}`, 'configOverrides="quiet.yml"'),
    'quiet/quiet.yml': 'loggingEnabled: no # CF-5\nnode_env: "kept quotes"\n',
    'quiet/iisnode.yml': 'this is no line of the kind\n',
  }, { NODE_ENV: 'attic' });
  const variables = async (name: string): Promise<(string | undefined)[]> => {
    const { env } = await told(`${host.url}${name}/app.js`);
    return ['LOGGINGENABLED', 'LOGDIRECTORY', 'MAXTOTALLOGFILESIZEINKB', 'MAXLOGFILESIZEINKB', 'MAXLOGFILES']
      .map((key) => env[`IISNODE_${key}`]);
  };
  assert.deepEqual(await variables('plain'), ['1', 'iisnode', '1024', '128', '20']);
  assert.deepEqual(await variables('log'), ['1', 'a/b', '1024', '9', '7']);
  assert.deepEqual(await variables('quiet'), [undefined, undefined, undefined, undefined, undefined]);
  const mode = async (name: string): Promise<string | undefined> =>
    (await told(`${host.url}${name}/app.js`)).env['NODE_ENV'];
  assert.deepEqual(await Promise.all(['plain', 'empty', 'literal', 'quiet'].map(mode)),
    ['attic', 'attic', 'attic', '"kept quotes"']);
  assert.equal(existsSync(join(host.root, 'quiet/iisnode')), false, 'no log was asked for');
});

test('log files roll over at their size, old ones go by number, and what others keep there stays', async (t) => {
  const program = `${HTTP} function answer(request, response) {
    for (let row = 0; row < 400; row++) console.log('row ' + row); console.log('caf\\u00e9'); response.end(); }`;
  const host = await hostWith(t, {
    ...folder('log', program, 'logDirectory="kept\\here" maxLogFileSizeInKB="1" maxLogFiles="3"'),
    'log/kept/here/mine.txt': 'mine',
    'log/kept/here/other-machine-1-stdout-1600000000000.txt': 'theirs',
  });
  assert.equal((await get(`${host.url}log/app.js`)).status, 200);
  const place = join(host.root, 'log/kept/here');
  const name = new RegExp(`^${hostname().replaceAll('.', '\\.')}-\\d+-(?:stdout|stderr)-\\d{13}\\.txt$`, 'i');
  const own = (): string[] => readdirSync(place).filter((file) => name.test(file)).sort();
  const textOf = (file: string): string => {
    try {
      return readFileSync(join(place, file), 'utf8');
    } catch {
      return ''; // It went meanwhile, being the oldest.
    }
  };
  const last = await until('the last line', () =>
    own().map(textOf).find((text) => text.endsWith('row 399\r\ncafé\r\n')));
  assert.match(last, /^row \d+\r\nrow \d+\r\n/);
  await until('the limit', () => (own().length <= 3 ? true : undefined));
  for (const file of own()) assert.ok(statSync(join(place, file)).size <= 2048, file);
  assert.equal(readFileSync(join(place, 'mine.txt'), 'utf8'), 'mine');
  assert.equal(readFileSync(join(place, 'other-machine-1-stdout-1600000000000.txt'), 'utf8'), 'theirs');
});

test('all server variables that are documented, and iisnode-debug in its order', async (t) => {
  const names = [
    'AUTH_USER', 'AUTH_TYPE', 'REQUEST_METHOD', 'APP_POOL_ID', 'UNMAPPED_REMOTE_USER', 'LOGON_USER', 'HTTP_VERSION',
    'REMOTE_ADDR', 'REMOTE_HOST', 'REMOTE_PORT', 'LOCAL_ADDR', 'NO_SUCH_NAME',
  ];
  const host = await hostWith(t,
    folder('all', TELL, `promoteServerVars="${names.join(',')}" debugHeaderEnabled="true"`));
  const { raw, pid } = await told(`${host.url}all/app.js`);
  const fields: [string, string][] = [];
  for (let index = 0; index < raw.length; index += 2) {
    const name = /^X-iisnode-(.*)$/.exec(raw[index]!)?.[1];
    if (name !== undefined) fields.push([name, raw[index + 1]!]);
  }
  assert.deepEqual(fields.map(([name]) => name), names.slice(0, -1).reverse(), 'from the end of the list');
  const { REMOTE_PORT: port, ...others } = Object.fromEntries(fields);
  assert.match(port!, /^\d+$/);
  assert.deepEqual(others, {
    AUTH_USER: '', AUTH_TYPE: '', REQUEST_METHOD: 'GET', APP_POOL_ID: 'all', UNMAPPED_REMOTE_USER: '', LOGON_USER: '',
    HTTP_VERSION: 'HTTP/1.1', REMOTE_ADDR: '127.0.0.1', REMOTE_HOST: '127.0.0.1', LOCAL_ADDR: '127.0.0.1',
  });
  const field = String((await get(`${host.url}all/app.js`)).headers['iisnode-debug']);
  const [start, values = ''] = field.split('#');
  assert.equal(start, 'http://bit.ly/NsU2nd');
  const pairs = values.split('&').map((pair) => pair.split('='));
  assert.deepEqual(pairs.map(([name]) => name), [
    'iisnode_ver', 'node', 'dns', 'worker_pid', 'node_pid', 'worker_mem_ws', 'worker_mem_pagefile', 'node_mem_ws',
    'node_mem_pagefile', 'app_processes', 'process_active_req', 'app_active_req', 'worker_total_req', 'np_retry',
    'req_time', 'hresult',
  ]);
  const value = Object.fromEntries(pairs) as Record<string, string>;
  assert.equal(value['node'], encodeURIComponent(process.execPath));
  assert.deepEqual([value['node_pid'], value['process_active_req'], value['worker_total_req'], value['hresult']],
    [String(pid), '1', '2', '0']);
});

test('the page of a failure: to the byte with stderr, and without any', async (t) => {
  const host = await hostWith(t, {
    ...folder('silent', 'process.exit(3);', 'devErrorsEnabled="true"'),
    ...folder('loud', `console.error('a <b> & "c" \\x07'); process.exit(3);`, 'devErrorsEnabled="true"'),
  });
  const head = '<p>iisnode encountered an error when processing the request.</p><pre>HRESULT: 0x2\n' +
    'HTTP status: 500\nHTTP subStatus: 1002\nHTTP reason: Internal Server Error</pre>' +
    '<p>The application ended before it listened on process.env.PORT.</p>';
  const silent = await get(`${host.url}silent/app.js`);
  assert.equal(silent.text, `${head}<p>The node.exe process has not written any information to stderr.</p>`);
  const loud = await get(`${host.url}loud/app.js`);
  assert.equal(loud.text, `${head}<p>The last 64k of the output generated by the node.exe process to stderr is ` +
    'shown below:</p><pre>a &lt;b&gt; &amp; &quot;c&quot; [x07]</pre>');
  assert.deepEqual([loud.status, loud.headers['content-length']], [200, String(Buffer.byteLength(loud.text))]);
});

test('processes take requests strictly in turn; a client with the cookie stays at one', async (t) => {
  const host = await hostWith(t, {
    ...folder('turns', TELL, 'nodeProcessCountPerApplication="3"'),
    ...folder('sticky', TELL, 'nodeProcessCountPerApplication="3" nodeProcessStickySessions="true"'),
  });
  const pid = async (url: string): Promise<number> => (await told(url)).pid;
  const turns = `${host.url}turns/app.js`;
  await until('all three', async () => {
    const six: number[] = [];
    for (let count = 0; count < 6; count++) six.push(await pid(turns));
    const isInTurn = new Set(six.slice(0, 3)).size === 3 && six.every((one, index) => one === six[index % 3]);
    return isInTurn ? true : undefined;
  });
  const sticky = `${host.url}sticky/app.js`;
  await pid(sticky);
  const first = await get(sticky);
  const cookie = first.headers['set-cookie']![0]!.split(';')[0]!;
  for (let count = 0; count < 5; count++) {
    const next = await get(sticky, { headers: { cookie } });
    assert.equal((JSON.parse(next.text) as Told).pid, (JSON.parse(first.text) as Told).pid);
  }
});

test('a rename is a change; one of web.config is only where it says something else', async (t) => {
  const host = await hostWith(t, { ...folder('app', TELL, 'watchedFiles="*.txt;web.config"'), 'app/a.txt': '1' });
  const pid = async (): Promise<number> => (await told(`${host.url}app/app.js`)).pid;
  const changed = async (what: string, act: () => void): Promise<void> => {
    const before = await pid();
    act();
    await until(what, async () => ((await pid()) === before ? undefined : true));
  };
  const config = join(host.root, 'app/web.config');
  const first = await pid();
  writeFileSync(config, `${readFileSync(config, 'utf8')}<!-- nothing -->\n`);
  await changed('another name', () => renameSync(join(host.root, 'app/a.txt'), join(host.root, 'app/b.txt')));
  assert.equal(host.output().match(/app-recycled/g)?.length, 1, `from ${first} by the rename alone`);
  await changed('a setting', () =>
    writeFileSync(config, readFileSync(config, 'utf8').replace('<iisnode ', '<iisnode node_env="other" ')));
  assert.equal((await told(`${host.url}app/app.js`)).env['NODE_ENV'], 'other');
});

test('a location has settings and variables of one script', async (t) => {
  const handlers = ['a', 'b'].map((name) => `<add name="${name}" path="${name}.js" verb="*" modules="iisnode"/>`);
  const host = await hostWith(t, {
    'two/web.config': `<configuration><system.webServer><handlers>${handlers.join('')}</handlers>
      <iisnode node_env="both"/></system.webServer><appSettings><add key="COLOUR" value="red"/></appSettings>
      <location path="b.js"><system.webServer><iisnode node_env="second"/></system.webServer>
      <appSettings><add key="COLOUR" value="blue"/></appSettings></location></configuration>`,
    'two/a.js': TELL, 'two/b.js': TELL,
  });
  const seen = async (script: string): Promise<(string | undefined)[]> => {
    const { env } = await told(`${host.url}two/${script}`);
    return [env['NODE_ENV'], env['COLOUR']];
  };
  assert.deepEqual([await seen('a.js'), await seen('b.js')], [['both', 'red'], ['second', 'blue']]);
});

test('an app whose debuggee is killed is served by an ordinary process', async (t) => {
  const host = await hostWith(t, folder('app', TELL));
  const page = `${host.url}app/app.js/debug/`;
  assert.equal((await get(page)).status, 200);
  const { pid } = await told(`${host.url}app/app.js`);
  process.kill(pid, 'SIGKILL');
  const other = await until('another process', async () => {
    // A request that went to the debuggee is lost with it: a page with the status 200 says so.
    const { text } = await get(`${host.url}app/app.js`);
    return text.startsWith('{') ? (JSON.parse(text) as Told) : undefined;
  });
  assert.notEqual(other.pid, pid);
  // While the session proxy ends behind the debuggee, the answer is still that both have been killed.
  await until('no debugger', async () => {
    return (await get(`${page}?kill`)).text === 'The debugger for the application is not running.' ? true : undefined;
  });
  assert.equal((await told(`${host.url}app/app.js`)).pid, other.pid);
});

/** True while the kernel tells the process of changes in the folder. */
function isTold(pid: number, place: string): boolean {
  const inode = statSync(place).ino.toString(16);
  return readdirSync(`/proc/${pid}/fdinfo`).some((fd) => {
    const text = existsSync(`/proc/${pid}/fdinfo/${fd}`) ? readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8') : '';
    return text.includes(`inotify wd:`) && text.includes(` ino:${inode} `);
  });
}

test('files that are looked at again and again count as those that the system tells of', {
  skip: process.platform !== 'linux' && 'reads /proc',
}, async (t) => {
  const host = await hostWith(t, {
    ...folder('share', TELL, 'watchedFiles="sub\\*.txt" uncFileChangesPollingInterval="50"'),
    ...folder('disk', TELL),
    'share/sub/a.txt': '1',
    'share/slipstream.yml': 'watchBy: polling\n',
  });
  const pid = async (): Promise<number> => (await told(`${host.url}share/app.js`)).pid;
  const changed = async (what: string, act: () => void): Promise<void> => {
    const before = await pid();
    act();
    await until(what, async () => ((await pid()) === before ? undefined : true));
  };
  await told(`${host.url}disk/app.js`);
  await changed('a change', () => writeFileSync(join(host.root, 'share/sub/a.txt'), 'longer'));
  await changed('a new file', () => writeFileSync(join(host.root, 'share/sub/b.txt'), '1'));
  await changed('a file that goes', () => rmSync(join(host.root, 'share/sub/b.txt')));
  await until('the watch of a disk', () => (isTold(host.pid, join(host.root, 'disk')) ? true : undefined));
  assert.deepEqual(['share', 'share/sub'].map((name) => isTold(host.pid, join(host.root, name))), [false, false]);
});
