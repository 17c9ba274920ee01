// TypeScript in the debugger, in real Chromium: programs made by a compiler, whose maps are beside them or in
// them, and those that Node itself stripped of their types.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { transformSync } from 'esbuild';
import type { Browser } from 'playwright-core';
import { DevtoolsPage, launchChromium } from './devtools-page.ts';
import { startHost, type RunningHost } from './host-fixture.ts';
import { get } from './http-client.ts';

const PRICE = `interface Order {
  count: number;
  each: number;
}

type Sum = number;

export function priceOf(order: Order): Sum {
  const { count, each }: Order = order;
  const sum: Sum = count * each;
  return sum;
}
`;
/** \`return sum\` in it. */
const RETURN_LINE = 11;

const SERVER = `import { createServer } from 'node:http';
import { priceOf } from './price.js';
createServer((request, response) => response.end(String(priceOf({ count: 3, each: 14 })))).listen(process.env.PORT);
`;
const MODULE = '{ "type": "module" }';

function compiled(): { code: string; map: string } {
  return transformSync(PRICE, {
    loader: 'ts',
    sourcefile: 'source/price.ts',
    sourcemap: 'external',
    sourcesContent: false,
  });
}

const { code, map } = compiled();
const inlineMap = Buffer.from(map).toString('base64');
const FILES = {
  'beside/package.json': MODULE,
  'beside/server.js': SERVER,
  'beside/price.js': `${code}//# sourceMappingURL=price.js.map\n`,
  'beside/price.js.map': map,
  'beside/source/price.ts': PRICE,
  'within/package.json': MODULE,
  'within/server.js': SERVER,
  'within/price.js': `${code}//# sourceMappingURL=data:application/json;base64,${inlineMap}\n`,
  'within/source/price.ts': PRICE,
  'stripped/package.json': MODULE,
  'stripped/server.js': SERVER.replace('price.js', 'price.ts'),
  'stripped/price.ts': PRICE,
};

let host: RunningHost;
let browser: Browser;
before(async () => {
  host = await startHost({ files: FILES });
  browser = await launchChromium();
});
after(async () => {
  await browser?.close();
  await host?.stop();
});

/** What is compiled cannot be changed here, and the page says why; what Node only strips of its types can. */
async function edits(devtools: DevtoolsPage, app: string): Promise<void> {
  if (app === 'stripped') {
    await devtools.removeBreakpoint(RETURN_LINE);
    await devtools.editLine(RETURN_LINE, '  return (sum as number) + 1;');
    await devtools.consoleShows('price.ts is changed in the program');
    assert.equal((await get(`${host.url}${app}/`)).text, '43');
    await devtools.editLine(RETURN_LINE, '  return sum as;');
    await devtools.consoleShows('price.ts was not changed: it has an error');
    assert.equal((await get(`${host.url}${app}/`)).text, '43');
    return;
  }
  await devtools.typeInto(RETURN_LINE, 'x');
  await devtools.consoleShows(
    'price.ts cannot be changed here: the program runs price.js. Edit the file on disk, or here price.js.',
  );
  assert.deepEqual(await devtools.sourceLines(), PRICE.split('\n'));
}

/** Stops a request at a line of the TypeScript, looks around, and lets it go. */
async function debugsAsWritten(app: string): Promise<void> {
  const context = await browser.newContext({ viewport: { width: 1360, height: 820 } });
  const devtools = new DevtoolsPage(await context.newPage());
  try {
    await devtools.open(`${host.url}${app}/debug/`);
    await devtools.openFile('price.ts');
    assert.deepEqual(await devtools.sourceLines(), PRICE.split('\n'));
    await devtools.setBreakpoint(RETURN_LINE);

    const hanging = get(`${host.url}${app}/`);
    assert.equal(await devtools.pausedLine(), RETURN_LINE);
    const [top] = await devtools.callStack();
    assert.deepEqual([top?.name, top?.file, top?.line], ['priceOf', 'price.ts', RETURN_LINE]);
    assert.equal(await devtools.evaluate('sum + count'), '45');
    await devtools.resume();
    assert.equal((await hanging).text, '42');
    await edits(devtools, app);
    assert.deepEqual(devtools.foreignRequests(), []);
    assert.deepEqual(devtools.consoleErrors(), []);
  } finally {
    await context.close();
  }
}

test('TypeScript with a map beside the script is shown and stopped at as written', () => debugsAsWritten('beside'));

test('TypeScript with a map within the script is shown and stopped at as written', () => debugsAsWritten('within'));

// Where Node runs no TypeScript there is nothing to strip.
const stripsTypes = 'typescript' in process.features && Boolean(process.features.typescript);
const testStripped = stripsTypes ? test : () => {};
testStripped('TypeScript that Node strips of its types is shown and stopped at as written', async () => {
  await debugsAsWritten('stripped');
});
