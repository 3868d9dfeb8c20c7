// Supervisors, their pools and workers, and what each worker runs right now.
import { path } from '../lib/api.js';
import { bytes, count, plural } from '../lib/format.js';
import { html } from '../lib/html.js';
import { useLoad } from '../lib/load.js';
import { to } from '../lib/router.js';
import { Facts, Page, Panel, Since, Time } from '../ui/bits.js';
import { Empty, Loaded } from '../ui/message.js';
import { Table } from '../ui/table.js';

const KINDS = { ready: 'good', running: 'good', starting: 'warn', stale: 'warn', behind: 'warn', backoff: 'warn', stopping: 'quiet', fatal: 'bad', silent: 'bad' };
const Word = ({ of }) => html`<span class=${`health is-${KINDS[of] ?? 'warn'}`}><span class="dot" aria-hidden="true"></span>${of}</span>`;

export function Workers() {
  const loaded = useLoad(path('workers'), { every: 2 });
  return html`<${Page} title="Workers" facts=${html`<span>The processes that run jobs, and the supervisors that keep them alive.</span>`}>
    <${Loaded} of=${loaded} what="the workers">${({ supervisors }) => (supervisors.length ? supervisors.map((each) => html`<${Supervisor} key=${`${each.host} ${each.pid}`} of=${each} />`)
      : html`<${Empty} title="No supervisor runs.">Jobs are taken in, and wait. <code>pipeline run</code> starts one.</${Empty}>`)}</${Loaded}>
  </${Page}>`;
}

function Supervisor({ of }) {
  const side = html`<${Word} of=${of.live ? of.state : 'silent'} />`;
  return html`<${Panel} title=${html`${of.host} <small>pid ${of.pid}</small>`} side=${side} className="flush supervisor">
    ${of.reason && html`<p class="notice is-warn pad">${of.reason}</p>`}
    <div class="pad"><${Facts} of=${[
      ['Up for', html`<${Since} at=${of.started_at} />`], ['Generation', html`${of.generation} <small><code>${of.hash}</code></small>`], ['Profile', of.profile],
      ['Reloads', `${count(of.reloads_total)}, ${count(of.failed_reloads_total)} refused`], ['Last reload', of.reloaded_at && html`<${Time} at=${of.reloaded_at} />`],
      ['Watcher', of.held ? 'held until the file changes' : null],
    ]} /></div>
    <${Table} label=${`Pools of ${of.host}`} columns=${POOLS} rows=${of.pools} keyOf=${({ pool, queue }) => `${pool} ${queue}`} />
    <${Table} label=${`Workers of ${of.host}`} columns=${WORKERS} rows=${of.workers} keyOf=${({ name }) => name} />
  </${Panel}>`;
}

const POOLS = [
  { key: 'pool', label: 'Pool', className: 'wide-cell', cell: ({ pool, queue }) => html`<b class="name">${pool}</b>${queue && queue !== pool && html` <small>${queue}</small>`}` },
  { key: 'state', label: 'State', cell: ({ state }) => html`<${Word} of=${state} />` },
  { key: 'processes', label: 'Processes', num: true, cell: ({ processes }) => processes },
  { key: 'recycled', label: 'Recycled', cell: ({ recycled }) => Object.entries(recycled ?? {}).map(([why, n]) => `${n} by ${why}`).join(', ') || '–' },
  { key: 'reason', label: 'Why', className: 'grow', cell: ({ reason }) => reason && html`<span class="error-text">${reason}</span>` },
];

const WORKERS = [
  { key: 'name', label: 'Worker', className: 'wide-cell', cell: ({ name }) => html`<b class="name">${name}</b>` },
  { key: 'pid', label: 'Pid', num: true, cell: ({ pid }) => pid },
  { key: 'up', label: 'Up for', num: true, cell: (worker) => html`<${Since} at=${worker.started_at} />` },
  { key: 'memory', label: 'Memory', num: true, cell: ({ memory }) => bytes(memory) },
  { key: 'code', label: 'Code', cell: ({ code }) => (code ? html`<code>${code}</code>` : '–') },
  { key: 'running', label: 'Runs', num: true, cell: ({ running }) => count(running) },
  { key: 'jobs', label: 'What it runs, the longest first', className: 'grow', cell: (worker) => html`<${Running} of=${worker} />` },
];

function Running({ of: { jobs = [], running, jobs_told: told } }) {
  if (!told && running) return html`<span class="hint">asking …</span>`;
  if (!jobs.length) return html`<span class="hint">idle</span>`;
  return html`<ul class="running">${jobs.slice(0, 6).map(({ queue, id, name, since_at: since, deadline_at: deadline }) => html`
    <li key=${`${queue} ${id}`}><a href=${to('queues', queue, 'jobs', id)}>${id}</a> ${name} <small>for <${Since} at=${since} />${deadline && html`, ends <${Time} at=${deadline} />`}</small></li>`)}
    ${running > 6 && html`<li class="hint">and ${plural(running - 6, 'other')}</li>`}</ul>`;
}
