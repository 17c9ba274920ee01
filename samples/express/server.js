// A guest book on Express 5: a page, a form, a JSON view. The entries live as long as the process.

import express from 'express';

const base = process.env.SLIPSTREAM_BASE_PATH ?? '';
const ENTRIES_MAX = 100;
const entries = [{ name: 'Ada', text: 'First!', at: new Date().toISOString() }];

const ESCAPES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escape = (text) => text.replace(/[&<>"]/g, (character) => ESCAPES[character]);

function page() {
  const items = entries.map(({ name, text }) => `<li><b>${escape(name)}</b>: ${escape(text)}</li>`);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Guest book</title>
<h1>Guest book</h1>
<ul>${items.join('\n')}</ul>
<form method="post" action="${base}/entries">
  <input name="name" placeholder="Name" required maxlength="40">
  <input name="text" placeholder="Text" required maxlength="400">
  <button>Sign</button>
</form>
<p><a href="${base}/entries">The entries as JSON</a></p>`;
}

const book = express.Router();
book.get('/', (request, response) => response.send(page()));
book.get('/entries', (request, response) => response.json(entries));
book.use(express.urlencoded({ limit: '10kb' }), express.json({ limit: '10kb' }));
book.post('/entries', (request, response) => {
  const { name, text } = request.body ?? {};
  if (typeof name !== 'string' || typeof text !== 'string' || name === '' || text === '') {
    response.status(400).json({ error: 'name and text are needed' });
    return;
  }
  entries.push({ name, text, at: new Date().toISOString() });
  if (entries.length > ENTRIES_MAX) entries.shift();
  response.redirect(303, `${base}/`);
});

const app = express();
app.use(base === '' ? '/' : base, book);
// The entry's own URL shows the page too.
app.get(`${base}/server.js`, (request, response) => response.send(page()));

const server = app.listen(process.env.PORT ?? 3000, () => {
  console.log(`express: http://localhost:${server.address().port}${base}/`);
});
