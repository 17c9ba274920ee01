// Folders with a web.config behave as on IIS: which script answers, what is served as a file, what rules do.

import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startHost, type RunningHost } from './host-fixture.ts';
import { get, until } from './http-client.ts';

/** An app that tells what it saw. */
const ECHO = `const name = require('path').basename(__filename);
require('http').createServer((req, res) => {
  let body = '';
  req.on('data', (chunk) => (body += chunk));
  req.on('end', () => res.end(JSON.stringify({ name, url: req.url, method: req.method, body, pid: process.pid,
    headers: req.headers, colour: process.env.COLOUR, base: process.env.SLIPSTREAM_BASE_PATH })));
}).listen(process.env.PORT);
`;

interface Echo {
  name: string;
  url: string;
  method: string;
  body: string;
  pid: number;
  headers: Record<string, string>;
  colour?: string;
}

function webConfig(webServer: string, more = ''): string {
  return `<configuration><system.webServer>${webServer}</system.webServer>${more}</configuration>`;
}

function handler(path: string, verb = '*'): string {
  return `<add name="iisnode-${path}" path="${path}" verb="${verb}" modules="iisnode"/>`;
}

async function hostWith(t: TestContext, files: Record<string, string>): Promise<RunningHost> {
  const host = await startHost({ files });
  t.after(() => host.stop());
  return host;
}

async function echo(url: string, options?: Parameters<typeof get>[1]): Promise<Echo> {
  const got = await get(url, options);
  assert.equal(got.status, 200, got.text);
  return JSON.parse(got.text) as Echo;
}

test('a folder runs each script that its handlers name, and serves its other files', async (t) => {
  const host = await hostWith(t, {
    'shop/web.config': webConfig(`<handlers>${handler('hello.js')}${handler('other.js', 'GET')}</handlers>
      <defaultDocument><files><add value="start.html"/></files></defaultDocument>`),
    'shop/hello.js': ECHO,
    'shop/other.js': ECHO,
    'shop/start.html': '<p>start</p>',
    'shop/ping.txt': 'pong',
    'shop/lib/client.js': 'alert(1)',
    'shop/lib/index.html': 'lib',
    'shop/empty/x.txt': 'x',
    'shop/iisnode.yml': 'loggingEnabled: true\n',
    'shop/package.json': '{"main":"hello.js"}',
    'shop/.env': 'SECRET=1',
    'shop/.git/config': 'x',
    'shop/node_modules/x/index.js': 'x',
    'shop/bin/tool.txt': 'x',
    'shop/data.unknown': 'x',
    'shop/404.html': 'x',
  });
  const at = `${host.url}shop/`;
  const hello = await echo(`${at}hello.js/any/path?x=1`);
  assert.equal(hello.name, 'hello.js');
  assert.equal(hello.url, '/shop/hello.js/any/path?x=1');
  const other = await echo(`${at}other.js`);
  assert.equal(other.name, 'other.js');
  assert.notEqual(other.pid, hello.pid);
  assert.equal((await echo(`${at}HELLO.JS`)).name, 'hello.js');
  assert.equal((await get(`${at}other.js`, { method: 'POST', body: 'x' })).status, 405);
  assert.equal((await get(`${at}ping.txt`)).text, 'pong');
  assert.equal((await get(at)).text, '<p>start</p>');
  const bare = await get(`${host.url}shop?q=1`);
  assert.equal(bare.status, 301);
  assert.equal(bare.headers.location, '/shop/?q=1');
  assert.equal((await get(`${at}lib`)).headers.location, '/shop/lib/');
  assert.equal((await get(`${at}lib/`)).text, 'lib');
  assert.equal((await get(`${at}lib/client.js`)).text, 'alert(1)');
  assert.equal((await get(`${at}empty/`)).status, 403);
  const hidden = [
    'web.config', 'WEB.CONFIG', 'iisnode.yml', 'package.json', '.env', '.git/config', 'node_modules/x/index.js',
    'bin/tool.txt', 'data.unknown', 'none.txt', '%2e%65nv', 'lib/..%2f..%2fshop%2f.env', 'iisnode/x.txt',
    'web.config::$DATA', 'web.config.', 'lib%5C..%5Cweb.config', 'ping.txt/more',
  ];
  for (const name of hidden) {
    const got = await get(at + name);
    assert.ok(got.status === 404 || got.status === 400, `${name}: ${got.status} ${got.text}`);
  }
});

test('a file has a type, validators, ranges and no body for HEAD', async (t) => {
  const host = await hostWith(t, {
    'a/web.config': webConfig(`<handlers>${handler('app.js')}</handlers><staticContent>
      <mimeMap fileExtension=".odd" mimeType="x/odd"/><remove fileExtension=".css"/>
      <clientCache cacheControlMode="UseMaxAge" cacheControlMaxAge="0.01:00:00"/></staticContent>`),
    'a/app.js': ECHO,
    'a/x.txt': '0123456789',
    'a/x.odd': 'odd',
    'a/x.css': 'css',
    'a/big.json': JSON.stringify('x'.repeat(300_000)),
    'a/empty.txt': '',
  });
  const at = `${host.url}a/`;
  const whole = await get(`${at}x.txt`);
  assert.equal(whole.headers['content-type'], 'text/plain');
  assert.equal(whole.headers['content-length'], '10');
  assert.equal(whole.headers['cache-control'], 'max-age=3600');
  const tag = whole.headers.etag ?? '';
  assert.match(tag, /^".+"$/);
  const modified = whole.headers['last-modified'] ?? '';
  assert.equal((await get(`${at}x.txt`, { headers: { 'If-None-Match': tag } })).status, 304);
  assert.equal((await get(`${at}x.txt`, { headers: { 'If-None-Match': '"other"' } })).status, 200);
  assert.equal((await get(`${at}x.txt`, { headers: { 'If-Modified-Since': modified } })).status, 304);
  assert.equal((await get(`${at}x.txt`, { headers: { 'If-Match': '"other"' } })).status, 412);
  const head = await get(`${at}x.txt`, { method: 'HEAD' });
  assert.equal(head.headers['content-length'], '10');
  assert.equal(head.text, '');
  const part = await get(`${at}x.txt`, { headers: { Range: 'bytes=2-4' } });
  assert.equal(part.status, 206);
  assert.equal(part.text, '234');
  assert.equal(part.headers['content-range'], 'bytes 2-4/10');
  assert.equal((await get(`${at}x.txt`, { headers: { Range: 'bytes=-3' } })).text, '789');
  assert.equal((await get(`${at}x.txt`, { headers: { Range: 'bytes=2-4', 'If-Range': '"old"' } })).status, 200);
  assert.equal((await get(`${at}x.txt`, { headers: { Range: 'bytes=10-' } })).status, 416);
  const post = await get(`${at}x.txt`, { method: 'POST', body: 'x'.repeat(100_000) });
  assert.equal(post.status, 405);
  assert.equal(post.headers.allow, 'GET, HEAD, OPTIONS');
  assert.equal((await get(`${at}x.odd`)).headers['content-type'], 'x/odd');
  assert.equal((await get(`${at}x.css`)).status, 404);
  assert.equal((await get(`${at}big.json`)).text.length, 300_002);
  assert.equal((await get(`${at}empty.txt`)).text, '');
  const old = new Date(1_000_000_000_000);
  utimesSync(join(host.root, 'a/x.txt'), old, old);
  assert.equal((await get(`${at}x.txt`, { headers: { 'If-None-Match': tag } })).status, 200);
});

test('a link that leads out of the folder is not followed', async (t) => {
  const host = await hostWith(t, {
    'secret.txt': 'secret',
    'a/web.config': webConfig(`<handlers>${handler('app.js')}</handlers>`),
    'a/app.js': ECHO,
    'a/x.txt': 'x',
    'a/public/x.txt': 'x',
  });
  symlinkSync(join(host.root, 'secret.txt'), join(host.root, 'a/out.txt'));
  symlinkSync(join(host.root, 'a/x.txt'), join(host.root, 'a/in.txt'));
  symlinkSync(join(host.root, 'a/web.config'), join(host.root, 'a/config.txt'));
  symlinkSync(join(host.root, 'a/app.js'), join(host.root, 'a/code.txt'));
  symlinkSync(host.root, join(host.root, 'a/public/up'));
  assert.equal((await get(`${host.url}a/in.txt`)).text, 'x');
  for (const name of ['out.txt', 'config.txt', 'code.txt', 'public/up/secret.txt']) {
    assert.equal((await get(`${host.url}a/${name}`)).status, 404, name);
  }
});

/** The web.config that Azure App Service makes for node apps. */
const AZURE = `<?xml version="1.0" encoding="utf-8"?>
<configuration>
  <system.webServer>
    <webSocket enabled="false" />
    <handlers>
      <!-- Indicates that the server.js file is a node.js site to be handled by the iisnode module -->
      <add name="iisnode" path="server.js" verb="*" modules="iisnode"/>
    </handlers>
    <rewrite>
      <rules>
        <rule name="NodeInspector" patternSyntax="ECMAScript" stopProcessing="true">
          <match url="^server.js\\/debug[\\/]?" />
        </rule>
        <rule name="StaticContent">
          <action type="Rewrite" url="public{REQUEST_URI}"/>
        </rule>
        <rule name="DynamicContent">
          <conditions>
            <add input="{REQUEST_FILENAME}" matchType="IsFile" negate="True"/>
          </conditions>
          <action type="Rewrite" url="server.js"/>
        </rule>
      </rules>
    </rewrite>
    <security>
      <requestFiltering><hiddenSegments><remove segment="bin"/></hiddenSegments></requestFiltering>
    </security>
    <httpErrors existingResponse="PassThrough" />
  </system.webServer>
</configuration>
`;

test('a stock web.config of Azure App Service runs unchanged', async (t) => {
  const host = await hostWith(t, {
    'web.config': AZURE,
    'server.js': ECHO,
    'package.json': '{"main":"server.js"}',
    'public/style.css': 'body{}',
    'public/a b.txt': 'spaced',
    'public/bin/x.txt': 'binary',
    'secret.js': 'x',
  });
  assert.equal((await get(`${host.url}style.css?v=1`)).text, 'body{}');
  assert.equal((await get(`${host.url}style.css`)).headers['content-type'], 'text/css');
  assert.equal((await get(`${host.url}a%20b.txt`)).text, 'spaced');
  assert.equal((await get(`${host.url}bin/x.txt`)).text, 'binary');
  const root = await echo(host.url);
  assert.equal(root.url, '/');
  const spoof = { 'X-Original-URL': '/spoof' };
  const api = await echo(`${host.url}api/items?x=1`, { method: 'POST', body: 'hello', headers: spoof });
  assert.equal(api.url, '/api/items?x=1');
  assert.equal(api.method, 'POST');
  assert.equal(api.body, 'hello');
  assert.equal(api.headers['x-original-url'], '/api/items?x=1');
  for (const name of ['secret.js', 'web.config', 'package.json', 'server.js']) {
    assert.equal((await echo(host.url + name)).url, `/${name}`, 'what is not public goes to the app');
  }
  const expects = { Expect: '100-continue' };
  const big = await echo(`${host.url}up`, { method: 'POST', body: 'x'.repeat(1_000_000), headers: expects });
  assert.equal(big.body.length, 1_000_000);
  const debug = await get(`${host.url}server.js/debug`);
  assert.equal(debug.status, 301);
  assert.equal(debug.headers.location, '/server.js/debug/');
});

test('an app_offline.htm is the answer for files, rules and scripts of the folder', async (t) => {
  const host = await hostWith(t, {
    'shop/web.config': webConfig(`<handlers>${handler('hello.js')}</handlers><rewrite><rules><rule name="r">
      <match url="^old$"/><action type="Redirect" url="hello.js"/></rule></rules></rewrite>`),
    'shop/hello.js': ECHO, 'shop/ping.txt': 'pong',
  });
  assert.equal((await get(`${host.url}shop/ping.txt`)).text, 'pong');
  await echo(`${host.url}shop/hello.js`);
  const page = join(host.root, 'shop/app_offline.htm');
  writeFileSync(page, '<h1>Back soon</h1>');
  for (const path of ['ping.txt', 'old', 'hello.js', '']) {
    const offline = await until(`${path} is offline`, async () => {
      const got = await get(`${host.url}shop/${path}`, { headers: { Accept: 'text/html' } });
      return got.status === 503 ? got : undefined;
    });
    assert.equal(offline.text, '<h1>Back soon</h1>');
    assert.equal(offline.headers['retry-after'], '5');
  }
  rmSync(page);
  await until('the file again', async () => {
    return (await get(`${host.url}shop/ping.txt`)).text === 'pong' ? true : undefined;
  });
});

test('the debugger wins over a rule for everything that does not leave it out', async (t) => {
  const host = await hostWith(t, {
    'shop/web.config': webConfig(`<handlers>${handler('hello.js')}</handlers><rewrite><rules><rule name="all">
      <match url=".*"/><action type="Rewrite" url="hello.js"/></rule></rules></rewrite>`),
    'shop/hello.js': ECHO,
  });
  assert.equal((await echo(`${host.url}shop/hello.js/debugger`)).url, '/shop/hello.js/debugger');
  const moved = await get(`${host.url}shop/hello.js/debug`);
  assert.equal(moved.status, 301);
  assert.match(moved.headers.location ?? '', /\/shop\/hello\.js\/debug\/$/);
  assert.equal((await get(`${host.url}shop/hello.js/debug/?kill`)).text,
    'The debugger for the application is not running.');
});

test('rules rewrite, redirect, respond and abort', async (t) => {
  const host = await hostWith(t, {
    'r/web.config': webConfig(`<handlers>${handler('a.js')}${handler('b.js')}</handlers><rewrite>
      <rewriteMaps><rewriteMap name="Old" defaultValue=""><add key="old" value="new"/></rewriteMap></rewriteMaps>
      <rules>
        <rule name="abort"><match url="^abort$"/><action type="AbortRequest"/></rule>
        <rule name="map"><match url="^map/(.+)"/><conditions><add input="{Old:{R:1}}" pattern="(.+)"/></conditions>
          <action type="Redirect" url="{C:1}" redirectType="Found" appendQueryString="false"/></rule>
        <rule name="wild" patternSyntax="Wildcard"><match url="old/*"/>
          <action type="Redirect" url="new/{ToUpper:{R:1}}"/></rule>
        <rule name="host"><match url="^host"/><conditions logicalGrouping="MatchAny">
          <add input="{HTTP_HOST}" pattern="^nobody"/><add input="{HTTPS}" pattern="^OFF$"/></conditions>
          <action type="Redirect" url="https://{HTTP_HOST}/{R:0}" redirectType="Temporary"/></rule>
        <rule name="gone"><match url="^gone"/>
          <action type="CustomResponse" statusCode="410" statusReason="Gone" statusDescription="It went away"/></rule>
        <rule name="not" stopProcessing="true"><match url="^only-get"/>
          <conditions><add input="{REQUEST_METHOD}" pattern="^GET$" negate="true"/></conditions>
          <action type="CustomResponse" statusCode="405" statusReason="No"/></rule>
        <rule name="case"><match url="^CASE$" ignoreCase="false"/><action type="Rewrite" url="b.js"/></rule>
        <rule name="set"><match url="^set/(.*)"/>
          <serverVariables><set name="HTTP_X_PART" value="{R:1}"/></serverVariables>
          <action type="Rewrite" url="b.js"/></rule>
        <rule name="stop" stopProcessing="true"><match url="^page/(\\d+)"/>
          <action type="Rewrite" url="b.js?page={R:1}"/></rule>
        <rule name="never"><match url="^b.js"/><conditions><add input="{QUERY_STRING}" pattern="page="/></conditions>
          <action type="Rewrite" url="a.js"/></rule>
        <rule name="folder"><match url="(.*)"/><conditions>
          <add input="{REQUEST_FILENAME}" matchType="IsDirectory" negate="true"/>
          <add input="{REQUEST_FILENAME}" matchType="IsFile" negate="true"/></conditions>
          <action type="Rewrite" url="a.js"/></rule>
      </rules></rewrite>`),
    'r/a.js': ECHO,
    'r/b.js': ECHO,
    'r/file.txt': 'file',
  });
  const at = `${host.url}r/`;
  await assert.rejects(get(`${at}abort`));
  const map = await get(`${at}map/old?x=1`);
  assert.equal(map.status, 302);
  assert.equal(map.headers.location, '/r/new');
  assert.equal((await echo(`${at}map/unknown`)).name, 'a.js');
  const wild = await get(`${at}old/thing?x=1`);
  assert.equal(wild.status, 301);
  assert.equal(wild.headers.location, '/r/new/THING?x=1');
  const secure = await get(`${at}host/x`);
  assert.equal(secure.status, 307);
  assert.equal(secure.headers.location, `https://127.0.0.1:${host.port}/host`);
  const gone = await get(`${at}gone`);
  assert.equal(gone.status, 410);
  assert.equal(gone.text, 'It went away');
  assert.equal((await get(`${at}only-get`, { method: 'POST' })).status, 405);
  assert.equal((await echo(`${at}only-get`)).name, 'a.js');
  assert.equal((await echo(`${at}CASE`)).name, 'b.js');
  assert.equal((await echo(`${at}case`)).name, 'a.js');
  const set = await echo(`${at}set/value`, { headers: { 'X-Part': 'spoofed' } });
  assert.equal(set.headers['x-part'], 'value');
  assert.equal((await echo(`${at}page/7`)).name, 'b.js', 'stopProcessing');
  assert.equal((await get(`${at}file.txt`)).text, 'file');
  assert.equal((await echo(`${at}any/thing`)).name, 'a.js');
});

test('an edit of web.config holds for the next requests; a broken one changes nothing', async (t) => {
  const config = (rule: string): string => webConfig(`<handlers>${handler('*.js')}</handlers><rewrite><rules>
    <rule name="x"><match url="^x$"/>${rule}</rule></rules></rewrite>`);
  const host = await hostWith(t, {
    's/web.config': config('<action type="Rewrite" url="a.js"/>'),
    's/a.js': ECHO,
    's/x.txt': 'x',
  });
  const at = `${host.url}s/`;
  assert.equal((await echo(`${at}x`)).name, 'a.js');
  writeFileSync(join(host.root, 's/web.config'), '<configuration>');
  await host.line(/config-rejected.*web\.config/);
  assert.equal((await echo(`${at}x`)).name, 'a.js');
  writeFileSync(join(host.root, 's/web.config'), config('<action type="Redirect" url="x.txt"/>'));
  await until('the new rule', async () => ((await get(`${at}x`)).status === 301 ? true : undefined));
  assert.equal((await get(`${at}late.js`)).status, 404);
  writeFileSync(join(host.root, 's/late.js'), ECHO);
  const late = await until('the new script', async () => {
    const got = await get(`${at}late.js`);
    return got.status === 200 ? (JSON.parse(got.text) as Echo) : undefined;
  });
  assert.equal(late.name, 'late.js');
});

test('a folder whose web.config was never good serves nothing, and says why at this machine', async (t) => {
  const host = await hostWith(t, {
    'a/web.config': '<configuration><system.webServer><iisnode watchedFile="x"/></system.webServer></configuration>',
    'a/server.js': ECHO,
    'b/web.config': webConfig(`<handlers>${handler('server.js')}</handlers>`),
    'b/iisnode.yml': 'no colon here\n',
    'b/server.js': ECHO,
  });
  const web = await get(`${host.url}a/server.js`);
  assert.equal(web.status, 200);
  assert.equal(web.headers['content-type'], 'text/html');
  assert.equal(web.headers['cache-control'], 'no-cache');
  const start = 'iisnode was unable to read the configuration file. Make sure the web.config file syntax is correct.';
  assert.ok(web.text.startsWith(start), web.text);
  const yml = await get(`${host.url}b/`);
  const named = 'the configuration file iisnode.yml. Make sure the iisnode.yml file syntax is correct.';
  assert.ok(yml.text.startsWith(`iisnode was unable to read ${named}`), yml.text);
  const foreign = await get(`${host.url}a/`, { headers: { 'X-Forwarded-For': '192.0.2.1' } });
  assert.equal(foreign.status, 500);
  assert.doesNotMatch(foreign.text, /watchedFile/);
  writeFileSync(join(host.root, 'b/iisnode.yml'), '');
  await until('the mended folder', async () => {
    const got = await get(`${host.url}b/server.js`);
    return got.text.includes('"name"') ? true : undefined;
  });
});

test('server variables are promoted, and nobody else can say them; iisnode-debug where asked for', async (t) => {
  const iisnode = `<iisnode promoteServerVars="REMOTE_ADDR,AUTH_USER,REQUEST_METHOD,HTTP_VERSION,NOTHING"
    debugHeaderEnabled="true" nodeProcessCountPerApplication="2"/>`;
  const host = await hostWith(t, {
    'a/web.config': webConfig(`<handlers>${handler('app.js')}</handlers>${iisnode}`),
    'a/app.js': ECHO,
    'b/web.config': webConfig(`<handlers>${handler('app.js')}</handlers>`),
    'b/app.js': ECHO,
    'c/server.js': ECHO,
  });
  const headers = { 'X-iisnode-AUTH_USER': 'admin', 'x-iisnode-other': 'x' };
  const seen = await echo(`${host.url}a/app.js`, { headers });
  const promoted = Object.entries(seen.headers).filter(([name]) => name.startsWith('x-iisnode-'));
  assert.deepEqual(Object.fromEntries(promoted), {
    'x-iisnode-remote_addr': '127.0.0.1',
    'x-iisnode-auth_user': '',
    'x-iisnode-request_method': 'GET',
    'x-iisnode-http_version': 'HTTP/1.1',
  });
  const field = String((await get(`${host.url}a/app.js`)).headers['iisnode-debug']);
  assert.match(field, /^http:\/\/bit\.ly\/NsU2nd#iisnode_ver=[\d.]+&node=.*&dns=.*&worker_pid=\d+&node_pid=\d+&/);
  assert.match(field, /&app_processes=2&.*&np_retry=0&req_time=\d+&hresult=0$/);
  const other = await echo(`${host.url}b/app.js`, { headers });
  assert.ok(!Object.keys(other.headers).some((name) => name.startsWith('x-iisnode-')));
  assert.equal((await get(`${host.url}b/app.js`)).headers['iisnode-debug'], undefined);
  const plain = await echo(`${host.url}c/`, { headers });
  assert.equal(plain.headers['x-iisnode-auth_user'], 'admin', 'a plain app gets what was sent');
});

test('devErrorsEnabled: a page with status 200, a bare status, or what local people see by default', async (t) => {
  const broken = "console.error('<b>reason</b> \\x01'); process.exit(3);\n";
  const dying = `require('http').createServer(() => process.exit(1)).listen(process.env.PORT);\n`;
  const folder = (name: string, program: string, more = ''): Record<string, string> => ({
    [`${name}/web.config`]: webConfig(`<handlers>${handler('app.js')}</handlers>${more}`),
    [`${name}/app.js`]: program,
  });
  const host = await hostWith(t, {
    ...folder('on', broken, '<iisnode devErrorsEnabled="true"/>'),
    ...folder('off', broken, '<iisnode devErrorsEnabled="false"/>'),
    ...folder('default', broken),
    ...folder('dying', dying, '<iisnode devErrorsEnabled="true"/>'),
  });
  const far = { headers: { 'X-Forwarded-For': '192.0.2.1' } };
  for (const options of [{}, far]) {
    const on = await get(`${host.url}on/app.js`, options);
    assert.equal(on.status, 200);
    assert.equal(on.headers['content-type'], 'text/html');
    assert.equal(on.headers['cache-control'], 'no-cache');
    assert.match(on.text, /^<p>iisnode encountered an error when processing the request\.<\/p>/);
    assert.match(on.text, /HRESULT: 0x2\nHTTP status: 500\nHTTP subStatus: 1002\nHTTP reason: Internal Server Error/);
    assert.match(on.text, /The last 64k of the output generated by the node\.exe process to stderr is shown below:/);
    assert.match(on.text, /&lt;b&gt;reason&lt;\/b&gt; \[x01\]/);
  }
  const off = await get(`${host.url}off/app.js`);
  assert.equal(off.status, 500);
  assert.equal(off.text, '');
  assert.equal((await get(`${host.url}default/app.js`)).status, 200);
  const honest = await get(`${host.url}default/app.js`, far);
  assert.equal(honest.status, 500);
  assert.doesNotMatch(honest.text, /reason<|iisnode/);
  const lost = await get(`${host.url}dying/app.js`);
  assert.equal(lost.status, 200);
  assert.match(lost.text, /HRESULT: 0x6d\nHTTP status: 500\nHTTP subStatus: 1013/);
});

test('an app cannot hand requests over: only a site process is listened to', async (t) => {
  const host = await hostWith(t, {
    'a/web.config': webConfig(`<handlers>${handler('app.js')}</handlers>`),
    'a/app.js': `require('http').createServer((req, res) => {
      res[Symbol.for('slipstream.verdict')] = { kind: 'hand-over', path: '/b/', isScript: false, fields: [] };
      res.end('own');
    }).listen(process.env.PORT);`,
    'b/server.js': ECHO,
  });
  assert.equal((await get(`${host.url}a/app.js`)).text, 'own');
  assert.equal((await get(`${host.url}a/`)).text, 'own');
});

test('the site process may be killed: requests are decided on by the next one', async (t) => {
  const host = await hostWith(t, { 'web.config': AZURE, 'server.js': ECHO, 'public/x.txt': 'x' });
  await echo(host.url);
  const killing = new AbortController();
  const visits = Array.from({ length: 4 }, async () => {
    let count = 0;
    while (!killing.signal.aborted) {
      assert.equal((await get(`${host.url}x.txt`)).text, 'x');
      assert.equal((await echo(`${host.url}api`, { method: 'POST', body: 'b' })).body, 'b');
      count += 1;
    }
    return count;
  });
  const siteOf = (): number | undefined =>
    host.processes().find(({ command }) => /site-main|slipstream site/.test(command))?.pid;
  let last = 0;
  for (let round = 0; round < 3; round++) {
    const pid = await until('another site process', () => {
      const found = siteOf();
      return found === last ? undefined : found;
    });
    last = pid;
    process.kill(pid, 'SIGKILL');
  }
  await until('the last one', () => (siteOf() === last ? undefined : siteOf()));
  await echo(host.url);
  killing.abort();
  for (const count of await Promise.all(visits)) assert.ok(count > 0);
});
