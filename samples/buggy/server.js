// A shop whose total is wrong. README.md shows how to find out why with the debugger.

const http = require('node:http');
const { ITEMS, totalOf } = require('./cart.js');

const base = process.env.SLIPSTREAM_BASE_PATH ?? '';
const money = (cents) => `${(cents / 100).toFixed(2)} €`;

function page(total) {
  const rows = ITEMS.map(
    ({ name, cents, count }) => `<tr><td>${count} × ${name}</td><td>${money(cents)} each</td></tr>`,
  );
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Your cart</title>
<h1>Your cart</h1>
<table>${rows.join('\n')}</table>
<p>10 % off from 10 pieces of a kind.</p>
<p>Total: <b id="total">${money(total)}</b></p>
<p>It should be 39.20 €. <a href="${base}/">Reload</a> and look again.</p>`;
}

const server = http.createServer((request, response) => {
  response.setHeader('Content-Type', 'text/html; charset=utf-8');
  response.setHeader('Cache-Control', 'no-store');
  response.end(page(totalOf(ITEMS)));
});

server.listen(process.env.PORT ?? 3000, () => {
  console.log(`buggy: http://localhost:${server.address().port}${base}/`);
});
