// A checkout made up for the purpose: first one without a fault, then one fault at a time.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { tidy } from './tidy.ts';

type Tree = Record<string, string>;

const SOUND: Tree = {
  'package.json': '{ "dependencies": { "yaml": "1" }, "devDependencies": { "ws": "1" } }\n',
  'docs/decisions/0001-dependencies.md': '- `yaml`: reads.\n- `ws`: for tests.\n',
  'docs/errors.md': '| code | meaning |\n|---|---|\n| `APP_LOST` | gone |\n| `APP_LATE` | late |\n',
  'docs/settings.md': 'settings\n',
  'src/base/host-error.ts': [
    '// Codes.',
    '',
    '/** All codes. */',
    'export const ERROR_CODES = {',
    "  APP_LOST: 'gone',",
    "  APP_LATE: 'late',",
    '} as const;',
    '',
  ].join('\n'),
  'src/wire/frame.ts': [
    '// Frames.',
    '',
    "import { ERROR_CODES } from '../base/host-error.ts';",
    '',
    '/** The codes. */',
    'export const CODES = ERROR_CODES;',
    '',
  ].join('\n'),
  'src/http/http.ts': `// Door.\n\nimport { CODES } from '../wire/frame.ts';\n\nconsole.log(CODES);\n`,
  'src/http/route.ts': '// Routes.\n\n/** A route. */\nexport const ROUTE = 1;\n',
  'src/http/route.test.ts': "import { ROUTE } from './route.ts';\n\nconsole.log(ROUTE);\n",
  'src/process/front-main.ts': [
    '// The front.',
    '',
    "import '../http/http.ts';",
    "import { parse } from 'yaml';",
    '',
    "console.log(parse, new URL('../http/route.js', import.meta.url));",
    '',
  ].join('\n'),
};

/** Lines `path:line: rule` for a sound tree with `changes`; an undefined content removes the file. */
function complaintsWith(changes: Record<string, string | undefined>): string[] {
  const root = mkdtempSync(join(tmpdir(), 'slipstream-tidy-'));
  try {
    for (const [path, content] of Object.entries({ ...SOUND, ...changes })) {
      if (content === undefined) continue;
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), content);
    }
    const complaints = tidy({ root, settingsPage: 'settings\n' });
    return complaints.map(({ path, line, rule }) => `${path}:${line}: ${rule}`);
  } finally {
    rmSync(root, { recursive: true });
  }
}

test('tidy has nothing to say about a sound tree', () => {
  assert.deepEqual(complaintsWith({}), []);
});

const HEAD = '// Head.\n\n';
const LONG_BODY = '  f();\n'.repeat(70);
/** Put together, so that this file obeys the rules. */
const UNFINISHED = ['TO', 'DO'].join('');

const FAULTS: [fact: string, path: string, content: string, complaint: string][] = [
  ['a room that imports a room above it', 'src/base/host-error.ts',
    `${SOUND['src/base/host-error.ts']}import '../wire/frame.ts';\n`, '8: import'],
  ['a feature that imports one', 'src/http/http.ts', `${HEAD}import '../debug/debug.ts';\n`, '3: import'],
  ['an export from a room', 'src/http/http.ts', `${HEAD}export * from '../apps/pool.ts';\n`, '3: import'],
  ['an import() of a room', 'src/http/http.ts', `${HEAD}await import('../apps/pool.ts');\n`, '3: import'],
  ['a way beside the door', 'src/process/host-main.ts', `${HEAD}import '../http/route.ts';\n`, '3: import'],
  ['src that imports tests', 'src/http/http.ts', `${HEAD}import '../../test/fixture.ts';\n`, '3: import'],
  ['an unknown room', 'src/misc-things/thing-main.ts', `${HEAD}export {};\n`, '1: import'],
  ['a package for development', 'src/http/http.ts', `${HEAD}import 'ws';\n`, '3: import'],
  ['a file without a head', 'src/http/http.ts', 'console.log(1);\n', '1: head'],
  ['a long line', 'src/http/http.ts', `${HEAD}// ${'x'.repeat(118)}\n`, '3: columns'],
  ['a long function', 'src/http/http.ts', `${HEAD}function f() {\n${LONG_BODY}}\n`, '3: function-length'],
  ['a long method with a type', 'src/http/http.ts',
    `${HEAD}class A {\n  m(a: () => void): Promise<void> {\n${LONG_BODY}  }\n}\n`, '4: function-length'],
  ['a long arrow', 'bench/hello.ts', `${HEAD}const f = () => {\n${LONG_BODY}};\n`, '3: function-length'],
  ['a long file', 'src/http/http.ts', `${HEAD}${'f();\n'.repeat(449)}`, '451: file-length'],
  ['a file that does not end its line', 'src/http/http.ts', `${HEAD}f();`, '3: file-end'],
  ['a name that is not kebab-case', 'scripts/myThing.ts', `${HEAD}f();\n`, '1: name'],
  ['a name that says nothing', 'scripts/path-helper.ts', `${HEAD}f();\n`, '1: name'],
  ['an index', 'scripts/index.ts', `${HEAD}f();\n`, '1: name'],
  ['a default export', 'src/http/http.ts', `${HEAD}export default 1;\n`, '3: export'],
  ['unfinished work', 'src/http/http.ts', `${HEAD}// ${UNFINISHED}: more\n`, '3: word'],
  ['a path of one machine', 'docs/guide.md', `see ${['', 'home', 'me', 'x'].join('/')}\n`, '1: word'],
  ['a test that runs alone', 'src/http/route.test.ts', `${HEAD}test.${'only'}('a', f);\n`, '3: word'],
  ['a skipped test', 'src/http/route.test.ts', `${HEAD}test.${'skip'}('a', f);\n`, '3: word'],
  ['an enum', 'src/http/http.ts', `${HEAD}enum A { B }\n`, '3: word'],
  ['an empty catch', 'src/http/http.ts', `${HEAD}try {\n  f();\n} catch {}\n`, '5: word'],
  ['a file that nobody reaches', 'src/http/alone.ts', `${HEAD}f();\n`, '1: unused'],
  ['an export without words', 'src/http/http.ts', `${HEAD}export function f(): void {}\n`, '3: docstring'],
  ['a code without a row', 'docs/errors.md', '| `APP_LOST` | gone |\n', ''],
  ['a row without a code', 'docs/errors.md', `${SOUND['docs/errors.md']}| \`APP_ODD\` | ? |\n`, '5: errors'],
  ['a row twice', 'docs/errors.md', `${SOUND['docs/errors.md']}| \`APP_LATE\` | ? |\n`, '5: errors'],
  ['a named test that is none', 'docs/compatibility-old.md', '`route.test`\n`10 nothing of the kind…`\n', '2: tests'],
  ['a named file of tests that is none', 'docs/compatibility-old.md', '`routes.test`\n', '1: tests'],
  ['settings that are not up to date', 'docs/settings.md', 'settings\nmore\n', '2: settings'],
];

for (const [fact, path, content, complaint] of FAULTS) {
  test(`tidy finds ${fact}`, () => {
    const expected = complaint === '' ? 'src/base/host-error.ts:6: errors' : `${path}:${complaint}`;
    const complaints = complaintsWith({ [path]: content });
    assert.ok(complaints.includes(expected), `${expected} is not among ${JSON.stringify(complaints)}`);
  });
}

test('tidy finds a dependency that no note explains', () => {
  assert.deepEqual(complaintsWith({ 'docs/decisions/0001-dependencies.md': '- `yaml`: reads.\n' }), [
    'package.json:1: dependency',
  ]);
});

const SOUND_CODE: [fact: string, code: string][] = [
  ['an import named in a comment', "// import '../debug/debug.ts';"],
  ['an import named in a string', `const text = "import '../debug/debug.ts'";`],
  ['a brace in a string', `const text = '{';`],
  ['a catch that says why it does nothing', 'try {\n  f();\n} catch {\n  // It is gone already.\n}'],
  ['a long object', `const table = {\n${'  a: 1,\n'.repeat(80)}};`],
  ['a long loop', `for (const a of f()) {\n${'  f();\n'.repeat(80)}}`],
  ['a long suite of tests', `describe('it', () => {\n${'  f();\n'.repeat(80)}});`],
  ['a word that contains another', 'const enumerable = 1;'],
  ['a URL path', `const path = '/homes/job/root';`],
];

for (const [fact, code] of SOUND_CODE) {
  test(`tidy accepts ${fact}`, () => {
    const source = `${HEAD}import { CODES } from '../wire/frame.ts';\n\nconsole.log(CODES);\n${code}\n`;
    assert.deepEqual(complaintsWith({ 'src/http/http.ts': source }), []);
  });
}
