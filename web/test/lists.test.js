import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bulkOf, listQuery } from '../src/lib/filters.js';
import { grouped } from '../src/lib/groups.js';
import { parse } from '../src/lib/router.js';
import { known, perSecond } from '../src/lib/series.js';

test('queues of one beginning are a group, alone they are none', () => {
  const queues = ['mail.in', 'payments', 'mail-out'].map((name) => ({ name, waiting: 2 }));
  assert.deepEqual(grouped(queues).map(({ prefix, queues: of, sum }) => [prefix, of.length, sum.waiting]), [['mail', 2, 4], [null, 1, 2]]);
});

test('an address is a path and a query, and survives what is no good escape', () => {
  assert.deepEqual(parse('#/queues/a%3Ab/jobs/%E0?state=dead'), { parts: ['queues', 'a:b', 'jobs', '%E0'], query: { state: 'dead' } });
});

test('a list and a bulk action mean the same jobs', () => {
  const query = { state: 'dead', error: 'Timeout', view: 'x' };
  assert.deepEqual(listQuery(query, 50, '17'), { state: 'dead', error: 'Timeout', limit: 50, after: '17' });
  assert.deepEqual(bulkOf(query), { filters: { error: 'Timeout' }, states: ['dead'] });
  assert.deepEqual(bulkOf({ state: 'dead' }), { all: true, states: ['dead'] });
});

test('before anything was written down there is no line, and the last step counts for what has passed of it', () => {
  const none = [0, 0, 6];
  const answer = { at: [0, 60_000, 120_000], step_ms: 60_000, until_at: 126_000, known_from_at: 61_000, enqueued: none, completed: none, failed_attempts: none, dead: none, cancelled: none };
  assert.deepEqual(known(answer).completed, [null, 0, 6]);
  assert.deepEqual(perSecond(known(answer).completed, answer), [null, 0, 1]);
});
