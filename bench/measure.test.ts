import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readWrk } from './load.ts';
import { interleave, judgementTable, markdownTable, median, quantile } from './measure.ts';

test('median takes the middle of an odd and the mean of an even number of values', () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.ok(Number.isNaN(median([])));
});

test('quantile finds the slowest of a hundred', () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index);
  assert.equal(quantile(values, 0.5), 51);
  assert.equal(quantile(values, 0.99), 100);
});

test('interleave turns the order with each round', async () => {
  const order: string[] = [];
  const results = await interleave(['a', 'b', 'c'], 2, async (item, round) => {
    order.push(item);
    return round;
  });
  assert.deepEqual(order, ['a', 'b', 'c', 'b', 'c', 'a']);
  assert.deepEqual(results.get('c'), [0, 1]);
});

test('judgementTable says which budgets are kept', () => {
  const table = judgementTable([
    { what: 'CPU', value: 0.39, atMost: 0.4 },
    { what: 'rate', value: 1.4, atLeast: 1.5 },
    { what: 'size', value: 123.4, unit: ' MB' },
  ]);
  assert.match(table, /\| CPU \| 0\.39 \| ≤ 0\.4 \| kept \|/);
  assert.match(table, /\| rate \| 1\.40 \| ≥ 1\.5 \| missed \|/);
  assert.match(table, /\| size \| 123 MB \| – \| – \|/);
});

test('markdownTable has a row for each row', () => {
  assert.equal(markdownTable(['a', 'b'], [['1', '2']]), '| a | b |\n|---|---|\n| 1 | 2 |\n');
});

const WRK = `Running 3s test @ http://127.0.0.1:8080/app/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.40ms    2.61ms  65.99ms   98.63%
    Req/Sec    53.31k     6.44k   60.01k    90.32%
  Latency Distribution
     50%    1.12ms
     75%    1.31ms
     90%    1.63ms
     99%  950.00us
  164418 requests in 3.10s, 20.38MB read
Requests/sec:  53038.06
Transfer/sec:      6.57MB
`;

test('readWrk reads counts and latencies', () => {
  const report = readWrk(WRK);
  assert.equal(report.requests, 164418);
  assert.equal(report.errors, 0);
  assert.ok(Math.abs(report.seconds - 3.1) < 0.01);
  assert.equal(report.p50Ms, 1.12);
  assert.ok(Math.abs(report.p99Ms - 0.95) < 1e-9);
});

test('readWrk counts refused and lost requests as errors', () => {
  const lost = '  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 100\n';
  const report = readWrk(WRK.replace('Requests/sec', `${lost}Requests/sec`));
  assert.equal(report.errors, 110);
  assert.equal(report.requests, 164318);
});
