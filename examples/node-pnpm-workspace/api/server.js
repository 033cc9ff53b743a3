import { fileURLToPath } from 'node:url';
import express from 'express';
import { greeting } from 'words';

const app = express();
app.get('/api/greeting', (request, response) => {
  response.json({ greeting: greeting(request.query.name ?? process.env.DYNO), release: process.env.HEROKU_RELEASE_VERSION });
});
// What Vite built.
app.use(express.static(fileURLToPath(new URL('../web/dist', import.meta.url))));

const server = app.listen(process.env.PORT, () => console.log(`listening on ${process.env.PORT}`));
// The router keeps connections for 90 seconds.
server.keepAliveTimeout = 95_000;
process.on('SIGTERM', () => server.close(() => process.exit(0)));
