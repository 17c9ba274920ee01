// The smallest app: node:http and nothing else. It answers every URL below its place.

const http = require('node:http');

const server = http.createServer((request, response) => {
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.end(`Hello, world!\nYou asked process ${process.pid} for ${request.url}\n`);
});

server.listen(process.env.PORT ?? 3000, () => {
  console.log(`hello: http://localhost:${server.address().port}/`);
});
