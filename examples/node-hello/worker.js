// The worker process: does a little work every few seconds and says so.
const every = Number(process.env.WORKER_INTERVAL_MS ?? 3000);
const dyno = process.env.DYNO ?? "local";
let jobs = 0;

console.log(`worker ${dyno} is ready`);
const timer = setInterval(() => {
    jobs += 1;
    console.log(`worker ${dyno} did job ${jobs}`);
}, every);

process.on("SIGTERM", () => {
    clearInterval(timer);
    console.log(`worker ${dyno} stops after ${jobs} ${jobs === 1 ? "job" : "jobs"}`);
});
