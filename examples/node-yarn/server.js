const fs = require('node:fs');
const fastify = require('fastify')({
  logger: true,
  // The router keeps connections for 90 seconds.
  keepAliveTimeout: 95_000,
});

const page = fs.readFileSync('dist/index.html', 'utf8');
fastify.get('/', (request, reply) => reply.type('text/html').send(page));
fastify.get('/dyno', () => ({ dyno: process.env.DYNO, concurrency: process.env.WEB_CONCURRENCY }));

fastify.listen({ port: process.env.PORT, host: '0.0.0.0' });
process.on('SIGTERM', () => fastify.close());
