// Queues put together by how their names begin: `mail.out`, `mail.in` and `mail-bounces` are of `mail`. Pure.

const SUMS = ['waiting', 'delayed', 'active', 'blocked', 'dead', 'workers', 'in_per_second', 'out_per_second'];

const prefixOf = (name) => name.split(/[._-]/)[0];

// [{ prefix, queues, sum }] in the order of their first queue; a queue that stands alone has the prefix null.
export function grouped(queues) {
  const members = new Map();
  for (const queue of queues) {
    const prefix = prefixOf(queue.name);
    members.set(prefix, [...(members.get(prefix) ?? []), queue]);
  }
  return [...members].map(([prefix, of]) => ({ prefix: of.length > 1 ? prefix : null, queues: of, sum: summed(of) }));
}

export function summed(queues) {
  return Object.fromEntries(SUMS.map((field) => [field, queues.reduce((sum, queue) => sum + (queue[field] ?? 0), 0)]));
}
