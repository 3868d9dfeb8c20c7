// Who is told when something goes wrong, what they were told, and whether it arrives.
import { path } from '../lib/api.js';
import { duration } from '../lib/format.js';
import { html } from '../lib/html.js';
import { useLoad } from '../lib/load.js';
import { to } from '../lib/router.js';
import { Facts, Page, Panel, Time } from '../ui/bits.js';
import { Icon } from '../ui/icon.js';
import { Empty, Loaded } from '../ui/message.js';

export function Alerts() {
  const loaded = useLoad(path('alerts'), { every: 10 });
  return html`<${Page} title="Alerts" facts=${html`<span>Who is told of dead jobs, long waits, pools that cannot start and files that were refused.</span>`}>
    <${Loaded} of=${loaded} what="the alerts">${({ alerts }) => (alerts.length ? alerts.map((each) => html`<${Alert} key=${each.name} of=${each} />`)
      : html`<${Empty} title="Nobody is told of anything."><code>alerts:</code> names who is, and <code>dead_letter: {"{alert: name}"}</code> of a queue says when.</${Empty}>`)}</${Loaded}>
  </${Page}>`;
}

function Alert({ of: { name, kind, events, throttle_ms: throttle, queues, problem, told } }) {
  return html`<${Panel} title=${name} side=${html`<span class="chip">${kind}</span>`}>
    ${problem && html`<p class="notice is-bad"><${Icon} name="alert" />It does not arrive: ${problem}</p>`}
    <${Facts} of=${[['Queues', queues.length ? links(queues) : 'none'], ['Also of', events.join(', ')], ['At most one of a kind in', duration(throttle)]]} />
    ${told.some(({ at }) => at) ? html`<ul class="plain-list">${told.filter(({ at }) => at).map(({ queue, what, at }) => html`<li key=${`${queue} ${what} ${at}`}>${what}${queue && html` in <a href=${to('queues', queue)}>${queue}</a>`}, <${Time} at=${at} /></li>`)}</ul>`
      : html`<p class="hint">Nothing was told yet.</p>`}
  </${Panel}>`;
}

const links = (queues) => queues.map((queue) => html`<a key=${queue} href=${to('queues', queue)}>${queue}</a> `);
