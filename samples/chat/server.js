// Chat rooms over WebSockets. Who joins hears the last lines of the room, then every new one.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

const base = process.env.SLIPSTREAM_BASE_PATH ?? '';
const page = readFileSync(new URL('page.html', import.meta.url));
const LINES_KEPT = 20;
const ROOMS_MAX = 100;
const WAITING_BYTES_MAX = 1_000_000;

/** Name of a room -> its last lines and the sockets in it. */
const rooms = new Map();

const server = createServer((request, response) => {
  response.setHeader('Content-Type', 'text/html; charset=utf-8');
  response.end(page);
});

const sockets = new WebSocketServer({ server, path: `${base}/socket`, maxPayload: 4096 });

sockets.on('connection', (socket, request) => {
  const query = new URL(request.url, 'http://localhost').searchParams;
  const name = (query.get('name') ?? 'somebody').slice(0, 40);
  const roomName = (query.get('room') ?? 'lobby').slice(0, 40);
  const room = rooms.get(roomName) ?? { lines: [], sockets: new Set() };
  if (!rooms.has(roomName) && rooms.size >= ROOMS_MAX) {
    socket.close(1013, 'too many rooms');
    return;
  }
  rooms.set(roomName, room);

  for (const line of room.lines) socket.send(line);
  room.sockets.add(socket);
  say(room, { name, text: 'came in' });

  socket.on('message', (data) => say(room, { name, text: data.toString() }));
  socket.on('error', (error) => console.error(`chat: ${error.message}`));
  socket.on('close', () => {
    room.sockets.delete(socket);
    if (room.sockets.size === 0) rooms.delete(roomName);
    else say(room, { name, text: 'left' });
  });
});

function say(room, line) {
  const text = JSON.stringify(line);
  room.lines.push(text);
  if (room.lines.length > LINES_KEPT) room.lines.shift();
  for (const socket of room.sockets) {
    // One who does not read must not fill the memory of this process.
    if (socket.bufferedAmount > WAITING_BYTES_MAX) socket.terminate();
    else socket.send(text);
  }
}

server.listen(process.env.PORT ?? 3000, () => {
  console.log(`chat: http://localhost:${server.address().port}${base}/`);
});
