// All queues at a glance.
import { get, path } from '../lib/api.js';
import { duration, rate, short } from '../lib/format.js';
import { grouped } from '../lib/groups.js';
import { html, useEffect, useState } from '../lib/html.js';
import { overview } from '../lib/live.js';
import { replace, to } from '../lib/router.js';
import { choose, settings } from '../lib/settings.js';
import { useStore } from '../lib/store.js';
import { Count, Page, Panel, Time } from '../ui/bits.js';
import { Health } from '../ui/health.js';
import { Icon } from '../ui/icon.js';
import { Loaded } from '../ui/message.js';
import { Pipe, Spark } from '../ui/spark.js';
import { sorted, Table } from '../ui/table.js';
import { Flow } from './overview-flow.js';

export function Overview({ query }) {
  const data = useStore(overview);
  const [error, setError] = useState(null);
  const reload = () => get(path('overview')).then((value) => overview.set(value), setError);
  useEffect(() => {
    if (!data) reload();
  }, []);
  return html`<${Page} title="Overview" facts=${data && html`<${Facts} data=${data} />`}>
    <${Loaded} of=${{ data, error: data ? null : error, reload }} what="the queues">${(all) => html`
      <${Flow} all=${all} />
      <${Notices} of=${all.notices} />
      <${Queues} queues=${all.queues} query=${query} />
      <${Failures} of=${all.failures} />`}</${Loaded}>
  </${Page}>`;
}

function Facts({ data }) {
  const { broker, supervisors, schedules } = data;
  return html`
    <span>${broker.kind} ${broker.version}</span>
    <span>${supervisors.live} ${supervisors.live === 1 ? 'supervisor' : 'supervisors'}, ${supervisors.workers} workers</span>
    ${schedules.next && html`<span>next: <a href=${to('schedules')}>${schedules.next}</a> <${Time} at=${schedules.next_at} /></span>`}`;
}

function Notices({ of }) {
  if (!of.length) return null;
  return html`<ul class="notices" aria-label="What you should know">${of.map(({ level, text }) => html`
    <li key=${text} class=${`notice is-${{ error: 'bad', warning: 'warn' }[level] ?? 'info'}`}><${Icon} name=${level === 'info' ? 'overview' : 'alert'} />${text}</li>`)}</ul>`;
}

const latency = (pair) => (pair ? html`<span title="half of them, 99 of 100">${duration(pair[0])} <small>/ ${duration(pair[1])}</small></span>` : '–');
const WORST = ['stopped', 'failing', 'behind', 'held', 'paused', 'removed', 'ok'];

const COLUMNS = [
  { key: 'name', label: 'Queue', sort: 'text', by: (q) => q.name, className: 'wide-cell', cell: (q) => html`<a class="name" href=${to('queues', q.name)}>${q.name}</a>` },
  { key: 'health', label: 'Health', sort: 'text', by: (q) => WORST.indexOf(q.health), cell: (q) => html`<${Health} of=${q} />` },
  { key: 'pipe', label: 'In the pipe', className: 'pipe-cell', cell: (q) => html`<${Pipe} of=${q} paused=${q.paused} />` },
  ...['waiting', 'active', 'delayed', 'dead'].map((state) => ({
    key: state, label: state === 'active' ? 'Running' : state[0].toUpperCase() + state.slice(1), num: true, sort: true, by: (q) => q[state],
    cell: (q) => html`<a class="plain" href=${to('queues', q.name, { state })}><${Count} n=${q[state]} kind=${state} /></a>`,
  })),
  { key: 'in', label: 'In', num: true, sort: true, by: (q) => q.in_per_second, cell: (q) => rate(q.in_per_second) },
  { key: 'out', label: 'Out', num: true, sort: true, by: (q) => q.out_per_second, cell: (q) => rate(q.out_per_second) },
  { key: 'run', label: 'Run p50 / p99', num: true, sort: true, by: (q) => q.run_ms?.[1], cell: (q) => latency(q.run_ms) },
  { key: 'oldest', label: 'Oldest', num: true, sort: true, by: (q) => q.oldest_waiting_ms, cell: (q) => duration(q.oldest_waiting_ms) },
  { key: 'workers', label: 'Workers', num: true, sort: true, by: (q) => q.workers, cell: (q) => html`<${Count} n=${q.workers} />` },
  { key: 'spark', label: 'Last hour', className: 'spark-cell', cell: (q) => html`<${Spark} of=${q.spark} failed=${q.failed_spark} label=${hour(q)} />` },
];

const sum = (values) => values.reduce((all, n) => all + n, 0);
const hour = (q) => `${sum(q.spark)} completed, ${sum(q.failed_spark)} failed attempts in the last hour`;

function Queues({ queues, query }) {
  const { group } = useStore(settings);
  const [shut, setShut] = useState(new Set());
  const { sort = 'health', find = '' } = query;
  const rows = sorted(sorted(queues, COLUMNS, 'name'), COLUMNS, sort).filter(({ name }) => name.includes(find.toLowerCase()));
  const groups = group ? grouped(rows) : [{ prefix: null, queues: rows }];
  const toggle = (prefix) => setShut((now) => (now.has(prefix) ? new Set([...now].filter((one) => one !== prefix)) : new Set(now).add(prefix)));
  const side = html`
    <label class="inline"><input type="checkbox" checked=${group} onChange=${() => choose({ group: !group })} />Group by name</label>
    <input type="search" data-search aria-label="Find a queue" placeholder="Find a queue" value=${find} onInput=${(event) => replace({ sort, find: event.target.value })} />`;
  return html`<${Panel} title=${`Queues (${rows.length})`} side=${side} className="flush">
    <${Table} label="Queues" columns=${COLUMNS} rows=${[]} keyOf=${(q) => q.name} sort=${sort} onSort=${(next) => replace({ sort: next, find })}>
      ${groups.flatMap((each) => groupRows(each, shut, toggle))}
    </${Table}>
    ${!rows.length && html`<p class="hint pad">No queue has “${find}” in its name.</p>`}
  </${Panel}>`;
}

function groupRows({ prefix, queues, sum: total }, shut, toggle) {
  const rows = queues.map((queue) => html`<tr key=${queue.name} role="row" data-row tabindex="-1" class=${prefix ? 'in-group' : ''}>
    ${COLUMNS.map(({ key, label, num, className = '', cell }) => html`<td key=${key} role="cell" class=${`${num ? 'num' : ''} ${className}`} data-label=${label}>${cell(queue)}</td>`)}</tr>`);
  if (!prefix) return rows;
  const open = !shut.has(prefix);
  const head = html`<tr key=${`group ${prefix}`} role="row" class="group-row"><th role="rowheader" scope="rowgroup" colspan=${COLUMNS.length}>
    <button type="button" class="sorter" aria-expanded=${String(open)} onClick=${() => toggle(prefix)}><${Icon} name=${open ? 'down' : 'right'} />${prefix}
      <small>${queues.length} queues · ${short(total.waiting)} waiting · ${short(total.active)} running · ${short(total.dead)} dead · ${rate(total.out_per_second)} out</small></button></th></tr>`;
  return open ? [head, ...rows] : [head];
}

function Failures({ of }) {
  if (!of.length) return null;
  const columns = [
    { key: 'at', label: 'When', cell: (f) => html`<${Time} at=${f.at} />` },
    { key: 'id', label: 'Job', cell: (f) => html`<a href=${to('queues', f.queue, 'jobs', f.id)}>${f.queue} ${f.id}</a>` },
    { key: 'name', label: 'Name', cell: (f) => f.name },
    { key: 'attempt', label: 'Attempt', num: true, cell: (f) => html`${f.attempt} of ${f.attempts}${f.dead && html` <span class="state is-dead">dead</span>`}` },
    { key: 'error', label: 'Error', className: 'grow', cell: (f) => html`<span class="error-text">${f.error}</span>` },
  ];
  return html`<${Panel} title="Latest failures" className="flush"><${Table} label="Latest failures" columns=${columns} rows=${of} keyOf=${(f) => `${f.queue} ${f.id} ${f.at}`} /></${Panel}>`;
}
