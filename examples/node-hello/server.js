// The web process: one page, a WebSocket that echoes, and a request that takes its time.
import { createServer } from "node:http";
import express from "express";
import { WebSocketServer } from "ws";

const dyno = process.env.DYNO ?? "local";
// Set where the feature runtime-dyno-metadata is on.
const release = process.env.HEROKU_RELEASE_VERSION ?? "unknown";
const port = Number(process.env.PORT ?? 3000);
let visits = 0;

const app = express();
app.disable("x-powered-by");

app.get("/", (request, response) => {
    visits += 1;
    response.type("text/plain").send(
        `Hello from ${dyno}, release ${release}, on Node.js ${process.version}.\n` +
            `This dyno has had ${visits} ${visits === 1 ? "visit" : "visits"}.\n` +
            `${process.env.GREETING ?? "Set the config var GREETING to change this line."}\n`,
    );
});

// For looking at what the router adds to a request.
app.get("/headers", (request, response) => {
    response.json({ dyno, headers: request.headers });
});

// Reads a body however slowly it comes, waits as long as it is asked to, and tells what it got.
app.post("/slow", async (request, response, next) => {
    try {
        let bytes = 0;
        for await (const piece of request) bytes += piece.length;
        const wait = Math.min(Math.max(Number(request.query.ms ?? 1000) || 0, 0), 60_000);
        await new Promise((resolve) => setTimeout(resolve, wait));
        response.json({ dyno, bytes, waited: wait });
    } catch (error) {
        next(error);
    }
});

const server = createServer(app);
const sockets = new WebSocketServer({ server, path: "/ws" });
sockets.on("connection", (socket) => {
    socket.on("error", (error) => console.error(`web socket: ${error.message}`));
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
});

server.listen(port, () => console.log(`listening on ${port} as ${dyno}, release ${release}`));

// On SIGTERM no new connection is taken; requests that are under way are finished. WebSockets
// would keep the server open for ever, so they are told to go: 1001 means "going away".
process.on("SIGTERM", () => {
    console.log("SIGTERM: finishing what is under way");
    server.close(() => {
        console.log("bye");
        process.exit(0);
    });
    for (const socket of sockets.clients) socket.close(1001, "the dyno is stopping");
    server.closeIdleConnections();
});
