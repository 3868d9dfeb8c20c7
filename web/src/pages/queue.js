// A queue: how it is, and its jobs.
import { path } from '../lib/api.js';
import { duration, rate, short } from '../lib/format.js';
import { html, useState } from '../lib/html.js';
import { overview } from '../lib/live.js';
import { useLoad } from '../lib/load.js';
import { STATES, filtersOf } from '../lib/filters.js';
import { to } from '../lib/router.js';
import { useStore } from '../lib/store.js';
import { Page, Tabs } from '../ui/bits.js';
import { Health } from '../ui/health.js';
import { Failed, Loaded } from '../ui/message.js';
import { Pipe, Spark } from '../ui/spark.js';
import { Tasks } from '../ui/tasks.js';
import { Events } from './queue-events.js';
import { Jobs } from './queue-jobs.js';
import { Lanes } from './queue-lanes.js';
import { QueueActions } from './queue-actions.js';
import { QueueSettings } from './queue-settings.js';

const VIEWS = { lanes: Lanes, settings: QueueSettings, events: Events };

export function Queue({ queue, query }) {
  const loaded = useLoad(path('queues', queue), { every: 10 });
  const [round, setRound] = useState(0);
  const seen = useStore(overview)?.queues.find(({ name }) => name === queue);
  const changed = () => {
    loaded.reload();
    setRound((n) => n + 1);
  };
  const line = seen ?? loaded.data?.queue;
  const View = VIEWS[query.view];
  if (loaded.error?.status === 404) {
    return html`<${Page} title=${queue} above=${html`<a href=${to()}>Queues</a>`}><${Failed} error=${loaded.error} /></${Page}>`;
  }
  return html`<${Page} title=${queue} above=${html`<a href=${to()}>Queues</a>`} facts=${line && html`<${Facts} of=${line} />`}
      actions=${loaded.data && html`<${QueueActions} about=${{ ...loaded.data, queue: line }} done=${changed} />`}>
    <${Loaded} of=${loaded} what=${queue}>${(about) => html`
      <${Tabs} label="What to see of the queue" chosen=${query.view ?? query.state ?? 'all'} of=${tabs(queue, line, about, query)} />
      <${Tasks} queue=${queue} onEnd=${changed} />
      ${View ? html`<${View} queue=${queue} about=${about} />` : html`<${Jobs} key=${query.state ?? ''} queue=${queue} about=${about} query=${query} round=${round} />`}`}</${Loaded}>
  </${Page}>`;
}

function tabs(queue, line, { settings }, query) {
  const kept = filtersOf(query);
  const states = STATES.map((state) => [state, state === 'active' ? 'running' : state, to('queues', queue, { state, ...kept }), line[state]]);
  return [
    ['all', 'all', to('queues', queue, kept)], ...states,
    ...(settings?.lanes ? [['lanes', 'lanes', to('queues', queue, { view: 'lanes' })]] : []),
    ['events', 'follow', to('queues', queue, { view: 'events' })],
    ...(settings ? [['settings', 'settings', to('queues', queue, { view: 'settings' })]] : []),
  ];
}

function Facts({ of }) {
  return html`
    <${Health} of=${of} full />
    <${Pipe} of=${of} paused=${of.paused} />
    <span><b>${rate(of.in_per_second)}</b> in</span><span><b>${rate(of.out_per_second)}</b> out</span>
    ${of.wait_ms && html`<span>waits <b>${duration(of.wait_ms[0])}</b>, p99 <b>${duration(of.wait_ms[1])}</b></span>`}
    ${of.run_ms && html`<span>runs <b>${duration(of.run_ms[0])}</b>, p99 <b>${duration(of.run_ms[1])}</b></span>`}
    ${of.oldest_waiting_ms !== null && html`<span>oldest <b>${duration(of.oldest_waiting_ms)}</b></span>`}
    <span><b>${short(of.workers)}</b> ${of.workers === 1 ? 'worker' : 'workers'}</span>
    <${Spark} of=${of.spark} failed=${of.failed_spark} label="Completed jobs and failed attempts in the last hour" />`;
}
