// BullMQ on Node: node bullmq_node.js worker | single|bulk|fill|lat|ids KIND N SECONDS
const { main, url, CONCURRENCY } = require("./node_common.js");
const { Queue, Worker } = require("bullmq");

const connection = { host: url.hostname, port: Number(url.port), maxRetriesPerRequest: null };
const KEEP = { removeOnComplete: { count: 100 } };

main({
  async worker(handle) {
    new Worker("bench", (job) => handle(job.name, job.data), { connection, concurrency: CONCURRENCY });
  },
  async connect() {
    const queue = new Queue("bench", { connection });
    await queue.waitUntilReady();
    return {
      add: (kind, data) => queue.add(kind, data, KEEP),
      addBulk: (kind, list) => queue.addBulk(list.map((data) => ({ name: kind, data, opts: KEEP }))),
      close: () => queue.close(),
    };
  },
});
