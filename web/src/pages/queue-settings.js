// What the file says of a queue, and what people changed since.
import { bytes, count, duration } from '../lib/format.js';
import { html } from '../lib/html.js';
import { to } from '../lib/router.js';
import { Facts, Panel, Time } from '../ui/bits.js';
import { Table } from '../ui/table.js';

export function QueueSettings({ queue, about }) {
  const { settings: of, jobs, schedules } = about;
  const { overrides } = about.queue;
  if (!of) return null;
  const keep = ({ count: n, age_ms: age }) => `${n === null ? 'any number' : count(n)}, ${age === null ? 'for ever' : duration(age)}`;
  return html`
    ${overrides.length > 0 && html`<${Panel} title="Changed by hand"><ul class="plain-list">${overrides.map((one) => html`
      <li key=${one.field}><b>${one.field}</b> is ${String(one.value)} instead of ${String(one.file)}, by ${one.by} <${Time} at=${one.set_at} />${one.until_at && html`, until <${Time} at=${one.until_at} />`}</li>`)}</ul></${Panel}>`}
    <${Panel} title="How it runs"><${Facts} of=${[
      ['Processes', `${of.processes} on each host`], ['Jobs at once', `${of.concurrency} in each process`], ['Over all hosts', of.max_active && `${of.max_active} at once`],
      ['Rate', of.rate_limit && `${of.rate_limit.max} in ${duration(of.rate_limit.per_ms)}`], ['Executor', of.executor],
      ['Batch', of.batch && `${of.batch.size} jobs a call`], ['Pool', of.pool !== queue && of.pool], ['Largest payload', bytes(of.max_payload)],
      ['Keeps completed', keep(of.retention.completed)], ['Keeps dead', keep(of.retention.dead)], ['Copies of the dead go to', of.dead_letter?.queue && html`<a href=${to('queues', of.dead_letter.queue)}>${of.dead_letter.queue}</a>`],
      ['Deaths are told to', of.dead_letter?.alert], ['Hidden here', of.redact?.join(', ')],
      ['Schedules', schedules.length > 0 && html`<a href=${to('schedules')}>${schedules.join(', ')}</a>`],
    ]} /></${Panel}>
    <${Panel} title="Job names" className="flush"><${Table} label="Job names" columns=${JOBS} rows=${jobs} keyOf=${({ name }) => name} />
      ${about.other_names && html`<p class="hint pad">Any other job name is taken, too.</p>`}</${Panel}>`;
}

const JOBS = [
  { key: 'name', label: 'Name', className: 'wide-cell', cell: ({ name }) => html`<b>${name}</b>` },
  { key: 'handler', label: 'Handler', cell: ({ handler }) => html`<code>${handler ?? 'none: it only stores'}</code>` },
  { key: 'attempts', label: 'Attempts', num: true, cell: ({ attempts }) => attempts },
  { key: 'timeout', label: 'Timeout', num: true, cell: (job) => (job.timeout_ms ? `${job.soft_timeout_ms ? `${duration(job.soft_timeout_ms)} / ` : ''}${duration(job.timeout_ms)}` : 'none') },
  { key: 'priority', label: 'Priority', num: true, cell: ({ priority }) => priority },
  { key: 'dedup', label: 'Deduplication', cell: ({ deduplication: by }) => (by ? `${by.mode} ${by.key}${by.ttl_ms ? `, ${duration(by.ttl_ms)}` : ''}` : '–') },
  { key: 'schema', label: 'Schema', cell: ({ schema }) => (schema ? 'yes' : '–') },
];
