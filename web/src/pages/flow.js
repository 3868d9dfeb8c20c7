// One flow: its steps as a picture and as a table.
import { path, post } from '../lib/api.js';
import { duration } from '../lib/format.js';
import { html } from '../lib/html.js';
import { useLoad } from '../lib/load.js';
import { to } from '../lib/router.js';
import { Action } from '../ui/action.js';
import { Page, Panel, Since, Time } from '../ui/bits.js';
import { Graph } from '../ui/graph.js';
import { Icon } from '../ui/icon.js';
import { Part } from '../ui/json.js';
import { Loaded } from '../ui/message.js';
import { Table } from '../ui/table.js';

// The states of flows in the colours of those of jobs.
const KINDS = { running: 'active', handling: 'active', failing: 'dead', failed: 'dead', cancelling: 'cancelled', done: 'completed', ready: 'waiting', skipped: 'cancelled' };

export function FlowState({ state }) {
  const kind = KINDS[state] ?? state;
  return html`<span class=${`state is-${kind}`}><${Icon} name=${kind} />${state}</span>`;
}

export function Flow({ flow, id }) {
  const at = (...more) => path('flows', flow, id, ...more);
  const loaded = useLoad(at());
  const { data } = loaded;
  return html`<${Page} title=${`${flow}:${id}`} above=${html`<a href=${to('flows')}>Flows</a> / <a href=${to('flows', { flow })}>${flow}</a>`}
      facts=${data && html`<${Facts} of=${data} />`} actions=${data && html`<${Buttons} of=${data} at=${at} done=${loaded.reload} />`}>
    <${Loaded} of=${loaded} what="the flow">${(of) => html`
      ${of.error && html`<p class="notice is-bad"><${Icon} name="alert" />${of.error.type ? `${of.error.type}: ${of.error.message}` : of.error}</p>`}
      <${Panel} title="Steps"><${Graph} steps=${of.steps} label=${`The steps of ${of.id}`} /></${Panel}>
      <${Panel} title="Step by step" className="flush"><${Table} label="Steps" columns=${COLUMNS} rows=${of.steps} keyOf=${({ name }) => name} /></${Panel}>
      <${Panel} title="Data"><${Part} part=${of.data} name="the flow's data" none="No data." /></${Panel}>`}</${Loaded}>
  </${Page}>`;
}

function Facts({ of: { state, started_at: began, finished_at: ended } }) {
  return html`<${FlowState} state=${state} /><span>began <b><${Time} at=${began} /></b></span>
    ${ended ? html`<span>took <b>${duration(ended - began)}</b></span>` : html`<span>runs for <b><${Since} at=${began} /></b></span>`}`;
}

function Buttons({ of: { id, state, actions }, at, done }) {
  const move = (action, words) => async () => {
    await post(at(action));
    return words;
  };
  const unless = (action) => (actions.includes(action) ? null : `Not while it is ${state}.`);
  return html`<${Action} className="primary" unless=${unless('retry')} run=${move('retry', 'It goes on where it failed.')} done=${done}>Retry</${Action}>
    <${Action} className="danger" unless=${unless('cancel')} run=${move('cancel', 'Its jobs are withdrawn; those that run are told to stop.')} done=${done}
      ask=${{ title: `Cancel ${id}?`, text: 'Steps that have not begun do not begin. Jobs that run are told to stop.', action: 'Cancel the flow', danger: true }}>Cancel</${Action}>`;
}

const COLUMNS = [
  { key: 'name', label: 'Step', className: 'wide-cell', cell: (step) => html`<b class="name">${step.name}</b>${step.kind && html` <span class="chip">${step.kind}</span>`}` },
  { key: 'state', label: 'State', cell: ({ state }) => html`<${FlowState} state=${state} />` },
  { key: 'job', label: 'Job', cell: ({ queue, job }) => html`<a href=${to('queues', queue)}>${queue}</a> ${job}` },
  { key: 'needs', label: 'Needs', cell: ({ needs }) => needs.join(', ') || '–' },
  { key: 'done', label: 'Done', num: true, cell: ({ done, total, failed }) => total && html`${done} of ${total}${failed > 0 && html`, <span class="is-dead">${failed} failed</span>`}` },
  { key: 'ids', label: 'Jobs', cell: ({ queue, ids }) => html`${ids.slice(0, 5).map((id) => html`<a key=${id} href=${to('queues', queue, 'jobs', id)}>${id}</a> `)}${ids.length > 5 && `and ${ids.length - 5} more`}` },
  { key: 'error', label: 'Error', className: 'grow', cell: ({ error }) => error && html`<span class="error-text"><b>${error.type}</b> ${error.message}</span>` },
];
