// The jobs of a queue in one state: filters, pages, and what to do with those that are selected.
import { path, search } from '../lib/api.js';
import { bytes, count, cut, duration } from '../lib/format.js';
import { html, useEffect, useState } from '../lib/html.js';
import { filtersOf, listQuery } from '../lib/filters.js';
import { useLoad } from '../lib/load.js';
import { to } from '../lib/router.js';
import { settings } from '../lib/settings.js';
import { useStore } from '../lib/store.js';
import { State, Time } from '../ui/bits.js';
import { Empty, Loaded } from '../ui/message.js';
import { Table } from '../ui/table.js';
import { Bulk } from './queue-bulk.js';
import { Filters } from './queue-filters.js';

export function Jobs({ queue, about, query, round }) {
  const { rows } = useStore(settings);
  const [pages, setPages] = useState([]);
  const [chosen, setChosen] = useState(new Set());
  const filters = JSON.stringify(filtersOf(query));
  useEffect(() => {
    setPages([]);
    setChosen(new Set());
  }, [filters]);
  const address = search(path('queues', queue, 'jobs'), listQuery(query, rows, pages.at(-1)));
  // Behind the first page nothing moves under the reader's eyes.
  const list = useLoad(address, pages.length ? { every: 0 } : {});
  useEffect(() => {
    if (round) list.reload();
  }, [round]);
  const gone = list.error?.status === 404 && pages.length > 0;
  return html`
    <${Filters} queue=${queue} about=${about} query=${query} />
    <${Bulk} queue=${queue} query=${query} chosen=${chosen} choose=${setChosen} data=${list.data} done=${list.reload} />
    ${gone ? html`<${Empty} title="The list has moved on."><button type="button" onClick=${() => setPages([])}>Begin at the newest</button></${Empty}>`
      : html`<${Loaded} of=${list} what="the jobs">${(data) => html`
        ${data.jobs.length ? html`<${Table} label=${`Jobs of ${queue}`} columns=${columnsFor(query.state)} rows=${data.jobs} keyOf=${(job) => job.id} chosen=${chosen} onChoose=${setChosen} />`
          : html`<${Nothing} queue=${queue} query=${query} data=${data} first=${!pages.length} />`}
        <${Pager} data=${data} pages=${pages} go=${setPages} searching=${filters !== '{}'} />`}</${Loaded}>`}`;
}

const took = (job) => (job.started_at && job.finished_at ? duration(job.finished_at - job.started_at) : '–');

const COLUMNS = {
  id: { key: 'id', label: 'Id', className: 'wide-cell', cell: (job) => html`<a class="name" href=${to('queues', job.queue, 'jobs', job.id)}>${cut(job.id, 40)}</a>` },
  name: { key: 'name', label: 'Job', cell: (job) => job.name },
  state: { key: 'state', label: 'State', cell: (job) => html`<${State} state=${job.state} />` },
  came: { key: 'enqueued_at', label: 'Came', cell: (job) => html`<${Time} at=${job.enqueued_at} />` },
  due: { key: 'due_at', label: 'Due', cell: (job) => html`<${Time} at=${job.due_at} />` },
  began: { key: 'started_at', label: 'Began', cell: (job) => html`<${Time} at=${job.started_at} />` },
  ended: { key: 'finished_at', label: 'Ended', cell: (job) => html`<${Time} at=${job.finished_at} />` },
  took: { key: 'took', label: 'Took', num: true, cell: took },
  worker: { key: 'worker', label: 'Worker', cell: (job) => job.worker ?? '–' },
  attempt: { key: 'attempt', label: 'Attempt', num: true, cell: (job) => html`${job.attempt} / ${job.attempts}${job.crashes > 0 && html` <span class="is-dead" title="Its process died under it">${job.crashes} ✕</span>`}` },
  priority: { key: 'priority', label: 'Priority', num: true, cell: (job) => count(job.priority) },
  lane: { key: 'lane', label: 'Lane', cell: (job) => (job.lane ? cut(job.lane, 24) : '–') },
  size: { key: 'data_bytes', label: 'Payload', num: true, cell: (job) => bytes(job.data_bytes) },
  error: { key: 'error', label: 'Last error', className: 'grow', cell: (job) => job.error && html`<span class="error-text" title=${`${job.error.type}: ${job.error.message}`}><b>${job.error.type}</b> ${cut(job.error.message, 160)}</span>` },
};

const SHOWN = {
  waiting: ['id', 'name', 'came', 'priority', 'attempt', 'lane', 'size'],
  delayed: ['id', 'name', 'due', 'came', 'attempt', 'error', 'size'],
  active: ['id', 'name', 'began', 'attempt', 'worker', 'priority', 'size'],
  blocked: ['id', 'name', 'came', 'priority', 'size'],
  completed: ['id', 'name', 'ended', 'took', 'attempt', 'size'],
  dead: ['id', 'name', 'ended', 'attempt', 'error', 'size'],
  cancelled: ['id', 'name', 'ended', 'attempt', 'error', 'size'],
};
const OF_ALL = ['id', 'name', 'state', 'came', 'attempt', 'error', 'size'];
const columnsFor = (state) => (SHOWN[state] ?? OF_ALL).map((key) => COLUMNS[key]);

const NONE = {
  waiting: 'Nothing waits. What comes in is taken at once.',
  delayed: 'Nothing is delayed: no job waits for its time or for another attempt.',
  active: 'Nothing runs right now.',
  blocked: 'No job waits for other steps of its flow.',
  completed: 'No completed job is kept. How many, and for how long, says retention.completed.',
  dead: 'No job is dead. One that runs out of attempts is kept here for a person.',
  cancelled: 'No job was withdrawn.',
};

function Nothing({ query, data, first }) {
  if (!data.complete) return html`<${Empty} title="Not found so far.">Looked at ${count(data.looked)} of ${count(data.total)} jobs. “Look further” below goes on.</${Empty}>`;
  if (Object.keys(filtersOf(query)).length) return html`<${Empty} title="No job fits these filters.">Looked at ${count(data.looked)}${query.state ? ` ${query.state}` : ''} jobs. Values hidden by <code>redact:</code> are not looked through.</${Empty}>`;
  if (!first) return html`<${Empty} title="There are no more." />`;
  return html`<${Empty} title=${NONE[query.state] ?? 'There is no job here.'} />`;
}

function Pager({ data, pages, go, searching }) {
  const next = () => go([...pages, data.next]);
  return html`<nav class="pager" aria-label="Pages of the list">
    <button type="button" disabled=${!pages.length} onClick=${() => go([])}>Newest</button>
    <button type="button" disabled=${!pages.length} onClick=${() => go(pages.slice(0, -1))}>Back</button>
    <button type="button" disabled=${!data.more} onClick=${next}>${data.complete ? 'Older' : 'Look further'}</button>
    <span class="hint">page ${pages.length + 1} · ${searching ? `looked at ${count(data.looked)} of ${count(data.total)}` : `${count(data.total)} in all`}</span>
  </nav>`;
}
