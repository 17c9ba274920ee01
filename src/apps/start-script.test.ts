import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCommandScript, parseStartScript, withoutHostFlags } from './start-script.ts';

test('parseStartScript reads scripts that run a file with node', () => {
  const table: [string, ReturnType<typeof parseStartScript>][] = [
    ['node server.js', { env: {}, flags: [], file: 'server.js', args: [] }],
    ['  node   ./bin/www  ', { env: {}, flags: [], file: './bin/www', args: [] }],
    ['node .', { env: {}, flags: [], file: '.', args: [] }],
    ['node a.js -p 3 --x=y', { env: {}, flags: [], file: 'a.js', args: ['-p', '3', '--x=y'] }],
    [
      'NODE_ENV=production A= node --no-warnings -r dotenv/config a.js',
      {
        env: { NODE_ENV: 'production', A: '' }, flags: ['--no-warnings', '-r', 'dotenv/config'],
        file: 'a.js', args: [],
      },
    ],
    [
      'cross-env NODE_ENV="my env" node --max-old-space-size=200 a.js \'one two\'',
      { env: { NODE_ENV: 'my env' }, flags: ['--max-old-space-size=200'], file: 'a.js', args: ['one two'] },
    ],
    ['node --import tsx -- a.ts', { env: {}, flags: ['--import', 'tsx'], file: 'a.ts', args: [] }],
  ];
  for (const [script, expected] of table) assert.deepEqual(parseStartScript(script), expected, script);
});

test('parseStartScript reads what only adds to node, without the flags that are its own', () => {
  const plain = { env: {}, flags: [], args: [] };
  const table: [string, ReturnType<typeof parseStartScript>][] = [
    ['tsx src/a.ts', { ...plain, file: 'src/a.ts', usesTsx: true }],
    [
      'tsx watch --clear-screen=false --include x src/a.ts -v',
      { ...plain, file: 'src/a.ts', args: ['-v'], usesTsx: true },
    ],
    ['npx tsx --env-file .env a.ts', { ...plain, flags: ['--env-file', '.env'], file: 'a.ts', usesTsx: true }],
    [
      'ts-node -P tsconfig.x.json -T -r dotenv/config a.ts',
      { ...plain, flags: ['-r', 'dotenv/config'], file: 'a.ts', usesTsx: true },
    ],
    ['ts-node-dev --respawn --transpile-only a.ts', { ...plain, file: 'a.ts', usesTsx: true }],
    ['nodemon a.js', { ...plain, file: 'a.js' }],
    ['A=b nodemon -w src -e js,json -q a.js x', { ...plain, env: { A: 'b' }, file: 'a.js', args: ['x'] }],
    ['nodemon --inspect a.js', { ...plain, flags: ['--inspect'], file: 'a.js' }],
  ];
  for (const [script, expected] of table) assert.deepEqual(parseStartScript(script), expected, script);
});

test('parseCommandScript reads a command of a package', () => {
  const table: [string, ReturnType<typeof parseCommandScript>][] = [
    ['next start', { env: {}, command: 'next', args: ['start'] }],
    ['A=1 npx next start -p 3', { env: { A: '1' }, command: 'next', args: ['start', '-p', '3'] }],
    ['node a.js', undefined],
    ['npm run x', undefined],
    ['next build && next start', undefined],
    ['./run', undefined],
    ['../x start', undefined],
    ['', undefined],
  ];
  for (const [script, expected] of table) assert.deepEqual(parseCommandScript(script), expected, script);
});

test('parseStartScript leaves everything else alone', () => {
  const scripts = [
    '', 'node', 'node -e "1"', 'node --eval=1', 'node --test', 'node -', 'npm run x', 'next start',
    'tsc && node a.js', 'node a.js | cat', 'node $FILE', 'node "$FILE"', 'node `x`', 'node a.js > log',
    'node *.js', 'node a.js;', "node 'a.js", 'node a\\ b.js', 'A=1',
    'nodemon --exec deno a.js', 'nodemon', 'tsx watch', 'npx', 'node --', 'node -r',
    `node ${'x'.repeat(10_000)}`,
  ];
  for (const script of scripts) assert.equal(parseStartScript(script), undefined, script);
});

test('withoutHostFlags leaves out inspectors and watchers, with their values', () => {
  const flags = [
    '--inspect', '--inspect-brk=0.0.0.0:1', '--inspect-port', '9230', '--watch', '--watch-path', './src',
    '--watch-path=x', '--debug-port=1', '-r', 'x', '--inspector', '--no-warnings',
  ];
  assert.deepEqual(withoutHostFlags(flags), ['-r', 'x', '--inspector', '--no-warnings']);
});
