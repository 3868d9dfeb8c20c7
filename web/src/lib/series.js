// What the charts draw, of what the API tells. Pure.

const COUNTS = ['enqueued', 'completed', 'failed_attempts', 'dead', 'cancelled'];
const LATENCIES = ['run_ms', 'wait_ms'];

// The API's answer, for one queue or all summed up: { at, step_ms, counts, run_ms, wait_ms, oldest_waiting_ms }
export function seriesOf(answer) {
  const parts = Array.isArray(answer.queues) ? [answer] : Object.values(answer.queues);
  const at = answer.at;
  return {
    at, step_ms: answer.step_ms, known_from_at: answer.known_from_at ?? null,
    ...Object.fromEntries(COUNTS.map((name) => [name, merged(at, parts.map((part) => part[name]), add)])),
    // Percentiles of several queues do not add up: the worst of them is told.
    ...Object.fromEntries(LATENCIES.map((name) => [name, Object.fromEntries(['p50', 'p95', 'p99'].map((p) => [p, merged(at, parts.map((part) => part[name][p]), most)]))])),
    oldest_waiting_ms: merged(at, parts.map((part) => part.oldest_waiting_ms), most),
  };
}

const add = (a, b) => (a ?? 0) + (b ?? 0);
const most = (a, b) => (a === null ? b : b === null ? a : Math.max(a, b));
const merged = (at, lists, join) => at.map((_, n) => lists.map((list) => list?.[n] ?? null).reduce(join, null));

// Counts of steps as a rate a second. The last step is not over yet: it is told by what has passed of it.
export function perSecond(values, at, stepMs, now) {
  return values.map((n, i) => {
    const passed = i === at.length - 1 ? Math.max(1000, Math.min(stepMs, now - at[i])) : stepMs;
    return n === null ? null : (n * 1000) / passed;
  });
}

export const total = (values) => values.reduce((sum, n) => sum + (n ?? 0), 0);
export const highest = (values) => values.reduce((top, n) => (n !== null && (top === null || n > top) ? n : top), null);
