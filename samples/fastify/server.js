// A JSON interface on Fastify 5: temperatures converted, input checked by a schema before the handler runs.

import Fastify from 'fastify';

const base = process.env.SLIPSTREAM_BASE_PATH ?? '';

const TO_KELVIN = {
  celsius: (value) => value + 273.15,
  fahrenheit: (value) => ((value - 32) * 5) / 9 + 273.15,
  kelvin: (value) => value,
};
const FROM_KELVIN = {
  celsius: (value) => value - 273.15,
  fahrenheit: (value) => ((value - 273.15) * 9) / 5 + 32,
  kelvin: (value) => value,
};

const convertQuery = {
  type: 'object',
  required: ['value', 'from', 'to'],
  properties: {
    value: { type: 'number' },
    from: { enum: Object.keys(TO_KELVIN) },
    to: { enum: Object.keys(FROM_KELVIN) },
  },
};

async function routes(app) {
  app.get('/', async () => ({
    about: 'Converts temperatures.',
    try: `${base}/convert?value=20&from=celsius&to=fahrenheit`,
  }));
  app.get('/convert', { schema: { querystring: convertQuery } }, async (request) => {
    const { value, from, to } = request.query;
    const result = FROM_KELVIN[to](TO_KELVIN[from](value));
    return { value, from, to, result: Number(result.toFixed(2)) };
  });
}

const app = Fastify();
app.register(routes, { prefix: base });
await app.listen({ port: Number(process.env.PORT ?? 3000) });
console.log(`fastify: http://localhost:${app.server.address().port}${base}/`);
