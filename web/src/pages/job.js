// A job: what it is, what happened to it, what can be done with it.
import { path } from '../lib/api.js';
import { bytes, count, duration } from '../lib/format.js';
import { html } from '../lib/html.js';
import { useLoad } from '../lib/load.js';
import { to } from '../lib/router.js';
import { Facts, Page, Panel, Since, State, Time } from '../ui/bits.js';
import { Part } from '../ui/json.js';
import { Empty, Failed, Loaded } from '../ui/message.js';
import { JobActions } from './job-actions.js';
import { Errors } from './job-errors.js';
import { JobFlow } from './job-flow.js';
import { Logs, Progress } from './job-logs.js';
import { Timeline } from './job-timeline.js';

export function JobPage({ queue, id }) {
  const loaded = useLoad(path('queues', queue, 'jobs', id));
  const { data, error } = loaded;
  const above = html`<a href=${to()}>Queues</a> / <a href=${to('queues', queue)}>${queue}</a>${data && html` / <a href=${to('queues', queue, { state: data.job.state })}>${data.job.state}</a>`}`;
  if (error?.status === 404) {
    return html`<${Page} title=${id} above=${above}>${data ? html`<${Empty} title="This job is gone.">It was removed, or its retention ended.</${Empty}>` : html`<${Failed} error=${error} />`}</${Page}>`;
  }
  return html`<${Page} title=${id} above=${above} facts=${data && html`<${HeadFacts} of=${data} />`} actions=${data && html`<${JobActions} of=${data} done=${loaded.reload} />`}>
    <${Loaded} of=${loaded} what=${`job ${id}`}>${(job) => html`<${Body} queue=${queue} id=${id} of=${job} />`}</${Loaded}>
  </${Page}>`;
}

function HeadFacts({ of: { job } }) {
  const { state, name, attempt, attempts, worker, started_at: began, finished_at: ended, due_at: due, crashes, redriven } = job;
  return html`<${State} state=${state} /><span><b>${name}</b></span><span>attempt <b>${attempt}</b> of ${attempts}</span>
    ${state === 'active' && html`<span>runs ${began && html`for <b><${Since} at=${began} /></b> `}${worker && `on ${worker}`}</span>`}
    ${state === 'delayed' && html`<span>due <b><${Time} at=${due} /></b></span>`}
    ${ended && began && html`<span>took <b>${duration(ended - began)}</b></span>`}
    ${crashes > 0 && html`<span class="is-dead">${count(crashes)} crashes</span>`}${redriven > 0 && html`<span>redriven ${count(redriven)} times</span>`}`;
}

function Body({ queue, id, of }) {
  const { data, result, flow, dead_letter: copied, job } = of;
  return html`
    ${copied && html`<p class="notice is-info">A copy of <a href=${to('queues', copied.queue, 'jobs', copied.id)}>${copied.queue} ${copied.id}</a>, which died at attempt ${copied.attempt}: ${copied.error?.type}: ${copied.error?.message}</p>`}
    <div class="columns">
      <div>
        <${Errors} errors=${of.errors} error=${of.error} state=${job.state} />
        <${Panel} title="Data"><${Part} part=${data} whole=${path('queues', queue, 'jobs', id, 'data')} name="data" none="No payload." /></${Panel}>
        ${(result || job.state === 'completed') && html`<${Panel} title="Result"><${Part} part=${result} whole=${path('queues', queue, 'jobs', id, 'result')} name="result" none="The handler returned nothing." /></${Panel}>`}
        <${Progress} part=${of.progress} state=${job.state} /><${Logs} lines=${of.logs} />
        ${flow && html`<${JobFlow} flow=${flow} />`}
      </div>
      <div><${Timeline} of=${of} /><${Options} of=${of} /></div>
    </div>`;
}

function Options({ of: { job, options } }) {
  const backoff = options.backoff;
  return html`<${Panel} title="What holds for it"><${Facts} of=${[
    ['Handler', options.handler && html`<code>${options.handler}</code>`], ['Attempts', options.attempts], ['Priority', count(options.priority)],
    ['Backoff', backoff && words(backoff)],
    ['Timeout', options.timeout_ms ? `${options.soft_timeout_ms ? `${duration(options.soft_timeout_ms)} soft, ` : ''}${duration(options.timeout_ms)}` : 'none'],
    ['Expires', options.expires_at && html`<${Time} at=${options.expires_at} />`], ['Deduplication key', options.key && html`<code>${options.key}</code>`],
    ['Lane', options.lane], ['Payload', bytes(job.data_bytes)],
  ]} /></${Panel}>`;
}

function words({ type, delay_ms: delay, max_ms: most, jitter, delays_ms: delays }) {
  if (type === 'list') return `list: ${delays.map(duration).join(', ')}`;
  return `${type}, ${duration(delay)}${most ? ` to ${duration(most)}` : ''}${jitter ? `, jitter ${jitter}` : ''}`;
}
