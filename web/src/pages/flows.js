// Flows: what each is made of, and those that run or have ended.
import { path, search } from '../lib/api.js';
import { count, duration } from '../lib/format.js';
import { html, useState } from '../lib/html.js';
import { useLoad } from '../lib/load.js';
import { replace, to } from '../lib/router.js';
import { Page, Panel, Time } from '../ui/bits.js';
import { Graph } from '../ui/graph.js';
import { Empty, Loaded } from '../ui/message.js';
import { Table } from '../ui/table.js';
import { FlowState } from './flow.js';
import { split } from './job-flow.js';
import { StartFlow } from './flow-start.js';
import { Opener } from './queue-actions.js';

const STATES = ['running', 'failing', 'handling', 'cancelling', 'completed', 'failed', 'cancelled'];

export function Flows({ query }) {
  const { flow = '', state = '' } = query;
  const loaded = useLoad(search(path('flows'), { flow, state, limit: 200 }));
  const [starting, start] = useState(null);
  const choose = (change) => replace('flows', { flow, state, ...change });
  return html`<${Page} title="Flows" facts=${html`<span>Steps that need each other, over queues.</span>`}>
    <${Loaded} of=${loaded} what="the flows">${({ flows, names }) => (names.length ? html`
      ${names.filter((each) => !flow || each.flow === flow).map((each) => html`<${Definition} key=${each.flow} of=${each} start=${start} />`)}
      <${Panel} title="Running and ended" className="flush" side=${html`
        <label>Flow <select value=${flow} onChange=${(event) => choose({ flow: event.target.value })}><option value="">all</option>${names.map((each) => html`<option key=${each.flow} value=${each.flow}>${each.flow}</option>`)}</select></label>
        <label>State <select value=${state} onChange=${(event) => choose({ state: event.target.value })}><option value="">any</option>${STATES.map((each) => html`<option key=${each} value=${each}>${each}</option>`)}</select></label>`}>
        ${flows.length ? html`<${Table} label="Flows" columns=${COLUMNS} rows=${flows} keyOf=${({ id }) => id} />` : html`<${Empty} title="No flow is kept here.">Start one above, or with <code>client.start_flow(…)</code>.</${Empty}>`}
      </${Panel}>` : html`<${Empty} title="The file has no flows."><code>flows:</code> names steps, and what each of them needs.</${Empty}>`)}</${Loaded}>
    ${starting && html`<${StartFlow} flow=${starting} close=${() => start(null)} done=${loaded.reload} />`}
  </${Page}>`;
}

const COLUMNS = [
  { key: 'id', label: 'Flow', className: 'wide-cell', cell: ({ id }) => html`<a class="name" href=${to('flows', ...split(id))}>${id}</a>` },
  { key: 'state', label: 'State', cell: ({ state }) => html`<${FlowState} state=${state} />` },
  { key: 'began', label: 'Began', cell: (flow) => html`<${Time} at=${flow.started_at} />` },
  { key: 'ended', label: 'Ended', cell: (flow) => html`<${Time} at=${flow.finished_at} />` },
  { key: 'took', label: 'Took', num: true, cell: (flow) => (flow.finished_at ? duration(flow.finished_at - flow.started_at) : '–') },
];

function Definition({ of, start }) {
  const { flow, in_file: inFile, steps } = of;
  const side = html`<span class="hint">${count(of.open)} open · ${count(of.completed_total)} completed · ${count(of.failed_total)} failed · ${count(of.cancelled_total)} cancelled</span>
    <${Opener} role="operator" unless=${inFile ? null : 'It is not in the file any more.'} open=${() => start(flow)}>Start one …</${Opener}>`;
  return html`<${Panel} title=${flow} side=${side}>
    ${steps?.length ? html`<${Graph} steps=${steps} label=${`The steps of ${flow}`} />` : html`<p class="hint">It is not in the file any more.</p>`}</${Panel}>`;
}
