// TypeScript without a build: only types that can be erased, so Node runs the file as it is where it can.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Tally } from './tally.ts';
import type { Ballot } from './tally.ts';

const base = process.env.SLIPSTREAM_BASE_PATH ?? '';
const tally = new Tally(['tabs', 'spaces']);

function ballotOf(path: string): Ballot | undefined {
  const match = /^\/vote\/(?<choice>\w+)$/.exec(path);
  const choice = match?.groups?.['choice'];
  return choice === undefined ? undefined : { choice };
}

const server = createServer((request, response) => {
  const path = new URL(request.url ?? '/', 'http://localhost').pathname.slice(base.length);
  const ballot = ballotOf(path);
  const isTaken = ballot === undefined || tally.add(ballot);
  response.statusCode = isTaken ? 200 : 404;
  response.setHeader('Content-Type', 'application/json');
  const votes = tally.choices.map((choice) => `${base}/vote/${choice}`);
  response.end(JSON.stringify({ counts: tally.counts(), votes }));
});

server.listen(process.env.PORT ?? 3000, () => {
  const { port } = server.address() as AddressInfo;
  console.log(`typescript: http://localhost:${port}${base}/`);
});
