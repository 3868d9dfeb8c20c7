// The jobs that nobody enqueues: when they come, when they came, and how that ended.
import { path, post } from '../lib/api.js';
import { absolute, count } from '../lib/format.js';
import { html } from '../lib/html.js';
import { useLoad } from '../lib/load.js';
import { replace, to } from '../lib/router.js';
import { Action } from '../ui/action.js';
import { Page, Panel, State, Time } from '../ui/bits.js';
import { Icon } from '../ui/icon.js';
import { Empty, Loaded } from '../ui/message.js';
import { sorted, Table } from '../ui/table.js';
import { tell } from '../ui/toast.js';

export function Schedules({ query }) {
  const loaded = useLoad(path('schedules'));
  const columns = columnsWith(loaded.reload);
  const { sort = 'next', find = '' } = query;
  const side = html`<input type="search" data-search aria-label="Find a schedule" placeholder="Find a schedule" value=${find} onInput=${(event) => replace('schedules', { sort, find: event.target.value })} />`;
  return html`<${Page} title="Schedules" facts=${html`<span>Exactly one job for each time, however many supervisors run.</span>`}>
    <${Loaded} of=${loaded} what="the schedules">${({ schedules }) => (schedules.length
      ? html`<${Panel} title=${`${schedules.length} in the file`} side=${side} className="flush">
        <${Table} label="Schedules" columns=${columns} sort=${sort} onSort=${(next) => replace('schedules', { sort: next, find })} keyOf=${({ name }) => name}
          rows=${sorted(schedules.filter(({ name, queue }) => `${name} ${queue}`.includes(find.toLowerCase())), columns, sort)} /></${Panel}>`
      : html`<${Empty} title="The file has no schedules.">One is a line of <code>schedules:</code> such as <code>nightly: {queue: payments, job: reconcile, cron: "15 2 * * *"}</code></${Empty}>`)}</${Loaded}>
  </${Page}>`;
}

const FAR = Number.MAX_SAFE_INTEGER;

function columnsWith(reload) {
  return [
    { key: 'name', label: 'Schedule', sort: 'text', by: (s) => s.name, className: 'wide-cell', cell: (s) => html`<b class="name">${s.name}</b>${!s.applied && html` <span class="chip is-warn">not taken over yet</span>`}` },
    { key: 'queue', label: 'Puts in', sort: 'text', by: (s) => s.queue, cell: (s) => html`<a href=${to('queues', s.queue)}>${s.queue}</a> ${s.job}` },
    { key: 'when', label: 'When', cell: (s) => html`<code>${s.when}</code>` },
    { key: 'next', label: 'Next', sort: 'text', by: (s) => s.next_at ?? FAR, cell: next },
    { key: 'last', label: 'Last', sort: true, by: (s) => s.last_at, cell: last },
    { key: 'fired', label: 'Came', num: true, sort: true, by: (s) => s.fired_total, cell: (s) => count(s.fired_total) },
    { key: 'missed', label: 'Skipped, missed', num: true, cell: (s) => `${count(s.skipped_total)}, ${count(s.missed_total)}` },
    { key: 'do', label: 'Actions', hideLabel: true, className: 'row-actions', cell: (s) => html`<${Buttons} of=${s} done=${reload} />` },
  ];
}

function next({ paused, paused_by: by, paused_at: at, next_at: due, upcoming = [] }) {
  if (paused) return html`<span class="chip is-warn"><${Icon} name="paused" />paused</span> <small title=${`by ${by}`}><${Time} at=${at} /></small>`;
  return html`<span title=${upcoming.map((time) => absolute(time)).join('\n')}><${Time} at=${due} /></span>`;
}

function last({ queue, last_at: at, last_job: job, last_state: state }) {
  if (!at) return '–';
  return html`<${Time} at=${at} /> ${job && (state ? html`<a class="plain" href=${to('queues', queue, 'jobs', job)} aria-label=${`${job}: ${state}`}><${State} state=${state} /></a>` : html`<small title=${job}>its job is not kept any more</small>`)}`;
}

function Buttons({ of: { name, queue, paused }, done }) {
  const run = async () => {
    const { id, status } = await post(path('schedules', name, 'run'));
    tell(status === 'created' ? `${name}: ${id} is in.` : `${name}: ${id} stands already.`, { link: ['See it', to('queues', queue, 'jobs', id)] });
  };
  const toggle = async () => {
    await post(path('schedules', name, paused ? 'resume' : 'pause'));
    return paused ? `${name} goes on.` : `${name} is paused: nothing comes until somebody resumes it.`;
  };
  return html`<${Action} run=${run} done=${done}>Run now</${Action}><${Action} run=${toggle} done=${done}>${paused ? 'Resume' : 'Pause'}</${Action}>`;
}
