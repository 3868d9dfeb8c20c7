// The filters of a list of jobs: in the address of the page, in the query of the API, in a bulk action. Pure.

export const STATES = ['waiting', 'delayed', 'active', 'blocked', 'completed', 'dead', 'cancelled'];
export const FIELDS = ['text', 'id', 'job', 'error', 'group', 'since', 'until'];

export const filtersOf = (query) => Object.fromEntries(FIELDS.filter((field) => query[field]).map((field) => [field, query[field]]));

export const listQuery = (query, rows, after) => ({ state: query.state, ...filtersOf(query), limit: rows, after });

// What a bulk action takes of all that the filters mean. Beginnings of ids are no filter there.
export function bulkOf(query) {
  const { id, ...filters } = filtersOf(query);
  const wanted = Object.keys(filters).length ? { filters } : { all: true };
  return { ...wanted, ...(query.state ? { states: [query.state] } : {}) };
}

// What can be done to many jobs of a state; of all states together: what the API decides job by job.
export const BULK = {
  waiting: ['cancel', 'remove'],
  delayed: ['promote', 'cancel', 'remove'],
  active: ['cancel'],
  blocked: ['remove'],
  completed: ['remove'],
  dead: ['retry', 'remove'],
  cancelled: ['retry', 'remove'],
  '': ['retry', 'promote', 'cancel', 'remove'],
};
