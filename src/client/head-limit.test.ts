import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serve } from './served-app.test.ts';

const LONG = ['Host', 'app.test', 'X-Long', 'x'.repeat(100)];

test('a head longer than maxHeaderSize is refused with 431, and the program is not called', async (t) => {
  const { link, server } = await serve(t, (request, response) => response.end(request.url));
  Object.assign(server, { maxHeaderSize: 100 });
  const refused = await link.open().request({ fields: LONG }).answer();
  assert.match(refused.statusLine, / 431 /);
  assert.match((await link.open().request({ target: `/${'x'.repeat(100)}` }).answer()).statusLine, / 431 /);
  const forwarded = ['Host', 'app.test', 'X-Forwarded-For', 'x'.repeat(100), 'Via', 'x'.repeat(100)];
  assert.equal((await link.open().request({ target: '/a', fields: forwarded }).answer()).body, '/a');
});

test('handlers of clientError answer a head that is too long', async (t) => {
  const { link, server } = await serve(t, (_, response) => response.end('served'));
  Object.assign(server, { maxHeaderSize: 100 });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    socket.end(`HTTP/1.1 400 Mine\r\nConnection: close\r\n\r\n${error.code}`);
  });
  const refused = await link.open().request({ fields: LONG }).answer();
  assert.equal(refused.statusLine, 'HTTP/1.1 400 Mine');
  assert.equal(refused.body, 'HPE_HEADER_OVERFLOW');
});

test('a program that names no maxHeaderSize gets every head that the front lets through', async (t) => {
  const { link } = await serve(t, (_, response) => response.end('served'));
  const fields = ['Host', 'app.test', 'X-Long', 'x'.repeat(30_000)];
  assert.equal((await link.open().request({ fields }).answer()).body, 'served');
});
