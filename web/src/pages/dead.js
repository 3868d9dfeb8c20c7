// Dead letters of all queues, put together by what they died of, and the ways back.
import { path, post } from '../lib/api.js';
import { count, plural, share } from '../lib/format.js';
import { html, useState } from '../lib/html.js';
import { overview } from '../lib/live.js';
import { useLoad } from '../lib/load.js';
import { replace, to } from '../lib/router.js';
import { useStore } from '../lib/store.js';
import { Action } from '../ui/action.js';
import { Page, Panel, Time } from '../ui/bits.js';
import { Empty, Loaded, Loading } from '../ui/message.js';
import { Bar } from '../ui/spark.js';
import { began, Tasks } from '../ui/tasks.js';
import { Redrive } from './dead-redrive.js';
import { Opener } from './queue-actions.js';

export function Dead({ query }) {
  const queues = useStore(overview)?.queues;
  const dying = queues?.filter(({ dead }) => dead > 0).sort((a, b) => b.dead - a.dead) ?? [];
  const chosen = query.queue ? [{ name: query.queue, dead: queues?.find(({ name }) => name === query.queue)?.dead ?? 0 }] : dying;
  const choice = html`<label>Queue <select value=${query.queue ?? ''} onChange=${(event) => replace('dead', { queue: event.target.value })}>
    <option value="">all that have any</option>${(queues ?? []).map(({ name, dead }) => html`<option key=${name} value=${name}>${name} (${count(dead)})</option>`)}</select></label>`;
  return html`<${Page} title="Dead letters" actions=${choice} facts=${html`<span>Jobs out of attempts, or discarded. They are kept until a person sees to them, or retention.dead ends.</span>`}>
    ${!queues ? html`<${Loading} what="the dead" />` : chosen.length ? chosen.map(({ name, dead }) => html`<${QueueDead} key=${name} queue=${name} dead=${dead} />`)
      : html`<${Empty} title="Nothing is dead.">Every job that ended was completed or cancelled, or its retention ended.</${Empty}>`}
  </${Page}>`;
}

function QueueDead({ queue, dead }) {
  const loaded = useLoad(path('queues', queue, 'groups'), { every: 10 });
  const [filter, setFilter] = useState({ text: '', job: '' });
  const [redriving, redrive] = useState(null);
  const groups = loaded.data?.groups.filter((group) => fits(group, filter)) ?? [];
  const side = html`<input type="search" data-search aria-label=${`Find a group of ${queue}`} placeholder="error, place or message" value=${filter.text} onInput=${(event) => setFilter({ ...filter, text: event.target.value })} />
    <a class="button" href=${to('queues', queue, { state: 'dead' })}>One by one</a>
    <${Opener} role="operator" unless=${dead ? null : 'There are none.'} open=${() => redrive({ count: dead })}>Redrive all …</${Opener}>`;
  return html`<${Panel} title=${html`<a href=${to('queues', queue)}>${queue}</a> <small>${count(dead)} dead</small>`} side=${side} className="dead-queue">
    <${Tasks} queue=${queue} onEnd=${loaded.reload} />
    <${Loaded} of=${loaded} what=${`the dead of ${queue}`}>${({ looked, complete }) => html`
      ${groups.length ? html`<ul class="groups">${groups.map((group) => html`<${Group} key=${group.id} queue=${queue} group=${group} whole=${looked} redrive=${redrive} done=${loaded.reload} />`)}</ul>`
        : html`<${Empty} title=${filter.text ? 'No group fits.' : 'Nothing is dead here.'} />`}
      ${!complete && html`<p class="hint pad">Groups of the newest ${count(looked)}.</p>`}`}</${Loaded}>
    ${redriving && html`<${Redrive} queue=${queue} group=${redriving} close=${() => redrive(null)} />`}
  </${Panel}>`;
}

function fits({ type, where, message }, { text }) {
  return `${type} ${where} ${message}`.toLowerCase().includes(text.toLowerCase());
}

function Group({ queue, group, whole, redrive, done }) {
  const { id, type, where, message, count: n, first_at: first, last_at: last, sample } = group;
  const remove = async () => began(await post(path('queues', queue, 'bulk'), { do: 'remove', states: ['dead'], filters: { group: id } }));
  return html`<li class="group" data-row tabindex="-1">
    <div class="group-size"><b>${count(n)}</b><small>${share(n, whole)}</small><${Bar} part=${n} whole=${whole} kind="dead" label=${`${plural(n, 'job')} of ${whole}`} /></div>
    <div class="group-what"><p><a class="name" href=${to('queues', queue, { state: 'dead', group: id })}>${type}</a> <code>${where}</code></p><p class="error-text">${message}</p>
      <p class="hint">first <${Time} at=${first} />, last <${Time} at=${last} />, such as <a href=${to('queues', queue, 'jobs', sample)}>${sample}</a></p></div>
    <div class="actions"><${Opener} role="operator" className="primary" open=${() => redrive(group)}>Redrive …</${Opener}>
      <${Action} className="danger" run=${remove} done=${done} ask=${{ title: `Remove ${plural(n, 'dead job')}?`, text: `Those of ${queue} that died of ${type} are deleted. They do not come back.`, action: 'Remove them', danger: true }}>Remove …</${Action}></div>
  </li>`;
}
