// What the charts draw, of what the API tells. Pure.

const COUNTS = ['enqueued', 'completed', 'failed_attempts', 'dead', 'cancelled'];

// The API's answer, without figures of a time of which nothing was written down: there is no line then, and not one at 0.
export function known(answer) {
  const from = answer.known_from_at;
  const blank = (values) => values.map((n, i) => (from === null || answer.at[i] + answer.step_ms <= from ? null : n));
  return { ...answer, ...Object.fromEntries(COUNTS.map((name) => [name, blank(answer[name])])) };
}

// Counts of steps as a rate a second. The last step is not over yet: it is told by what has passed of it.
export function perSecond(values, { at, step_ms: step, until_at: until }) {
  return values.map((n, i) => {
    const passed = i === at.length - 1 ? Math.max(1000, Math.min(step, until - at[i])) : step;
    return n === null ? null : (n * 1000) / passed;
  });
}

export const total = (values) => values.reduce((sum, n) => sum + (n ?? 0), 0);
export const highest = (values) => values.reduce((top, n) => (n !== null && (top === null || n > top) ? n : top), null);
