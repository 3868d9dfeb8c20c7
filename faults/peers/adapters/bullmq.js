// BullMQ on Node: node bullmq.js worker, or node bullmq.js produce COUNT PER_SECOND SECONDS_OF_A_JOB; the journal
// and the producer are those of journal.py and produce.py.
const fs = require("fs");
const { Queue, Worker } = require("bullmq");

const url = new URL(process.env.REDIS_URL);
const connection = { host: url.hostname, port: Number(url.port) };
const file = fs.openSync(process.env.JOURNAL, "a");
const pause = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

function note(kind, number, words = "") {
  fs.writeSync(file, `${kind} ${number} ${process.hrtime.bigint()} ${process.pid} ${words}\n`);
}

async function run(job) {
  note("begin", job.data.number);
  await pause(job.data.seconds);
  note("end", job.data.number);
}

function work() {
  new Worker("work", run, {
    connection: { ...connection, maxRetriesPerRequest: null },
    concurrency: 4,
    lockDuration: 5000,
    stalledInterval: 5000,
    maxStalledCount: 10,
  }).on("error", () => {});
}

async function produce(count, perSecond, seconds) {
  const queue = new Queue("work", { connection });
  queue.on("error", () => {});
  const started = Date.now();
  for (let number = 0; number < count; number++) {
    if (perSecond) await pause(Math.max(0, number / perSecond - (Date.now() - started) / 1000));
    note("try", number);
    try {
      await queue.add("work", { number, seconds, mark: `job-${number}-of-faults` }, { attempts: 10 });
      note("ack", number);
    } catch (error) {
      note("error", number, error.constructor.name);
    }
  }
  process.exit(0);
}

const [mode, ...numbers] = process.argv.slice(2);
if (mode === "worker") work();
else produce(...numbers.map(Number));
