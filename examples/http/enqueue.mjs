// Puts jobs into the queue `emails` over HTTP, from Node 18 or newer, without any package.
//
//   PIPELINE_TOKEN=... node enqueue.mjs order-17 order-18

const url = process.env.PIPELINE_HTTP_URL ?? "http://127.0.0.1:9400";
const token = process.env.PIPELINE_TOKEN;
const TRIES = 4;

/** Puts jobs in, all or none; each answer is {queue, id, status}. `key` makes it safe to send this again. */
export async function enqueue(queue, jobs, key) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await post(`${url}/api/v1/queues/${queue}/jobs`, jobs, key);
    } catch (error) {
      // A 4xx is no better the next time. All else may be: the answer was lost, or the broker is away.
      if ((error.status >= 400 && error.status < 500) || attempt === TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, 2 ** attempt * 100));
    }
  }
}

async function post(address, body, key) {
  const answer = await fetch(address, {
    method: "POST",
    headers: {
      Authorization: `Bearer ${token}`,
      "Content-Type": "application/json",
      "Idempotency-Key": key,
    },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });
  const told = await answer.json();
  if (answer.ok) return told;
  const { code, message, help } = told.error;
  throw Object.assign(new Error(`${code}: ${message}. ${help}`), { status: answer.status });
}

const orders = process.argv.slice(2);
const jobs = orders.map((order) => ({ job: "order-confirmed", data: { order } }));
for (const { id, status } of await enqueue("emails", jobs, `confirm-${orders.join(".")}`)) {
  console.log(`${id}  ${status}`);
}
