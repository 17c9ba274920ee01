import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseStartScript, withoutHostFlags } from './start-script.ts';

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

test('parseStartScript leaves everything else alone', () => {
  const scripts = [
    '', 'node', 'node -e "1"', 'node --eval=1', 'node --test', 'node -', 'npm run x', 'next start',
    'tsc && node a.js', 'node a.js | cat', 'node $FILE', 'node "$FILE"', 'node `x`', 'node a.js > log',
    'node *.js', 'node a.js;', "node 'a.js", 'node a\\ b.js', 'A=1', 'nodemon a.js', 'node --', 'node -r',
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
