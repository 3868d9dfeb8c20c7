// The fullest lanes of a queue, and what holds them.
import { path, search } from '../lib/api.js';
import { now } from '../lib/clock.js';
import { count, duration, plural } from '../lib/format.js';
import { html } from '../lib/html.js';
import { useLoad } from '../lib/load.js';
import { Count, Time } from '../ui/bits.js';
import { Empty, Loaded } from '../ui/message.js';
import { Bar } from '../ui/spark.js';
import { Table } from '../ui/table.js';

export function Lanes({ queue, about }) {
  const lanes = useLoad(search(path('queues', queue, 'lanes'), { limit: 100 }));
  const rule = about.settings?.lanes;
  return html`
    ${rule && html`<p class="lead">A lane for each <code>${rule.key}</code>: ${rule.max_active ? `${rule.max_active} at a time in each` : 'as many as come'}${rule.strict ? ', in order of arrival' : ''}${rule.fair ? ', the lanes take turns' : ''}.</p>`}
    <${Loaded} of=${lanes} what="the lanes">${({ lanes: of }) => (of.length ? html`<${Table} label="Lanes" columns=${columns(of, rule)} rows=${of} keyOf=${(lane) => lane.lane} />`
      : html`<${Empty} title="No lane has a job." />`)}</${Loaded}>`;
}

function columns(lanes, rule) {
  const most = Math.max(...lanes.map(({ waiting }) => waiting), 1);
  return [
    { key: 'lane', label: 'Lane', className: 'wide-cell', cell: ({ lane }) => html`<b>${lane}</b>` },
    { key: 'waiting', label: 'Waiting', num: true, cell: ({ waiting }) => html`<${Count} n=${waiting} kind="waiting" />` },
    { key: 'bar', label: 'Beside the fullest', cell: ({ waiting }) => html`<${Bar} part=${waiting} whole=${most} kind="waiting" label=${plural(waiting, 'waiting job')} />` },
    { key: 'active', label: 'Running', num: true, cell: ({ active }) => html`<${Count} n=${active} kind="active" />` },
    { key: 'next', label: 'Free to start', num: true, cell: ({ next }) => count(next) },
    { key: 'held', label: 'What holds it', className: 'grow', cell: (lane) => holds(lane, rule) },
  ];
}

function holds({ held_until_at: held, opens_at: opens, active, waiting, next }, rule) {
  if (held && held > now()) return html`a handler holds it, until <${Time} at=${held} />`;
  if (opens && opens > now()) return `its rate lets another start in ${duration(opens - now())}`;
  if (waiting > next && rule?.max_active && active >= rule.max_active) return `${rule.max_active} at a time`;
  return '–';
}
