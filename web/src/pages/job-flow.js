// The flow that a job is a step of.
import { path } from '../lib/api.js';
import { html } from '../lib/html.js';
import { useLoad } from '../lib/load.js';
import { to } from '../lib/router.js';
import { Panel } from '../ui/bits.js';
import { Graph } from '../ui/graph.js';
import { Loaded } from '../ui/message.js';

export const split = (id) => [id.slice(0, id.indexOf(':')), id.slice(id.indexOf(':') + 1)];

export function JobFlow({ flow: { id, step } }) {
  const [name, own] = split(id);
  const loaded = useLoad(path('flows', name, own));
  return html`<${Panel} title="Its flow" side=${html`<a href=${to('flows', name, own)}>${id}</a>`}>
    <${Loaded} of=${loaded} what="its flow">${({ steps }) => html`<${Graph} steps=${steps} here=${step} label=${`The steps of ${id}`} />`}</${Loaded}></${Panel}>`;
}
