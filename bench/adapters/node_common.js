// What every Node peer shares: the tally of tally.py (kept in memory and written every 5 ms, as Node has
// no mmap) and the producer of produce.py. A peer gives { worker(handle), connect() -> { add, addBulk, close } }.
const fs = require("fs");
const path = require("path");

const url = new URL(process.env.REDIS_URL);
const PAYLOAD = { to: "user@example.com", orderId: 1234567 };
const SAMPLES = 8192;
const DIR = process.env.TALLY_DIR;
const CONCURRENCY = Number(process.env.CONCURRENCY);

function tally() {
  const buf = Buffer.alloc(24 + 8 * SAMPLES);
  const fd = fs.openSync(path.join(DIR, `${process.pid}.tally`), "w+");
  let n = 0, samples = 0, first = 0n, last = 0n, dirty = false;
  const ids = process.env.TALLY_IDS === "1" ? fs.openSync(path.join(DIR, `${process.pid}.ids`), "a") : null;
  setInterval(() => {
    if (!dirty) return;
    dirty = false;
    buf.writeBigInt64LE(BigInt(n), 0);
    buf.writeBigInt64LE(first, 8);
    buf.writeBigInt64LE(last, 16);
    fs.writeSync(fd, buf, 0, 24 + 8 * samples, 0);
  }, 5);
  return (sent) => {
    last = process.hrtime.bigint();
    if (!n) first = last;
    if (ids !== null) fs.writeSync(ids, `${sent}\n`);
    else if (sent !== undefined && samples < SAMPLES) buf.writeBigInt64LE(last - BigInt(sent), 24 + 8 * samples++);
    n++;
    dirty = true;
  };
}

function seenCount() {
  let total = 0n;
  const count = Buffer.alloc(8);
  for (const f of fs.readdirSync(DIR)) {
    const fd = fs.openSync(path.join(DIR, f), "r");
    if (fs.readSync(fd, count, 0, 8, 0) === 8) total += count.readBigInt64LE(0);
    fs.closeSync(fd);
  }
  return total;
}

async function produce(peer, mode, kind, n, seconds) {
  const q = await peer.connect();
  if (mode === "bulk" && !q.addBulk) {
    console.log(JSON.stringify({ n: 0, seconds: 0 }));
    process.exit(0);
  }
  const pause = (ms) => new Promise((r) => setTimeout(r, ms));
  // A rate counts after a first job, as in produce.py.
  if (mode === "single" || mode === "bulk") await q.add(kind, PAYLOAD);
  const start = process.hrtime.bigint();
  const took = () => Number(process.hrtime.bigint() - start) / 1e9;
  const bulk = q.addBulk && (mode === "bulk" || mode === "fill" || mode === "ids");
  const payload = (i) => (mode === "ids" ? { ...PAYLOAD, t: i } : PAYLOAD);
  let done = 0;
  while (done < n && (mode === "fill" || mode === "ids" || took() < seconds)) {
    if (mode === "lat") {
      const seen = seenCount(), end = took() + 5;
      await q.add(kind, { ...PAYLOAD, t: Number(process.hrtime.bigint()) });
      while (seenCount() <= seen && took() < end) await pause(1);
      await pause(3 + 5 * Math.random());
      done += 1;
    } else if (!bulk) {
      await q.add(kind, payload(done));
      done += 1;
    } else {
      const k = Math.min(100, n - done);
      await q.addBulk(kind, Array.from({ length: k }, (_, i) => payload(done + i)));
      done += k;
    }
  }
  console.log(JSON.stringify({ n: done, seconds: took() }));
  if (q.close) await q.close();
  process.exit(0);
}

function main(peer) {
  const [mode, kind, n, seconds] = process.argv.slice(2);
  if (mode !== "worker") return produce(peer, mode, kind, Number(n), Number(seconds));
  const hit = tally();
  return peer.worker(async (kind, data) => {
    if (kind === "sleep") await new Promise((r) => setTimeout(r, 10));
    hit(data.t);
  });
}

module.exports = { main, url, CONCURRENCY };
