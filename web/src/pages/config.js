// What the file says, what runs, and what changed from one generation to the next.
import { path, post } from '../lib/api.js';
import { html } from '../lib/html.js';
import { useLoad } from '../lib/load.js';
import { to } from '../lib/router.js';
import { Action } from '../ui/action.js';
import { Page, Panel, Tabs } from '../ui/bits.js';
import { Changes } from '../ui/changes.js';
import { Icon } from '../ui/icon.js';
import { Empty, Loaded } from '../ui/message.js';
import { EffectiveConfig } from './config-lines.js';
import { Generations } from './config-history.js';

export function ConfigPage({ query }) {
  const loaded = useLoad(path('config'), { every: 5 });
  const { view = 'file' } = query;
  return html`<${Page} title="Config" facts=${loaded.data && html`<${Facts} of=${loaded.data} />`} actions=${html`<${Reload} done=${loaded.reload} />`}>
    <${Tabs} label="What to see of the config" chosen=${view} of=${[
      ['file', 'effective', to('config')], ['changes', 'file against what runs', to('config', { view: 'changes' }), loaded.data?.pending.length], ['history', 'generations', to('config', { view: 'history' })],
    ]} />
    ${view === 'history' ? html`<${Generations} />` : html`<${Loaded} of=${loaded} what="the config">${(of) => html`
      ${of.stale && html`<p class="notice is-warn"><${Icon} name="alert" /><span><b>STALE.</b> Generation ${of.generation} runs, and the file cannot be applied: ${of.stale}</span></p>`}
      ${view === 'changes' ? html`<${Pending} of=${of} />` : html`<${EffectiveConfig} of=${of} />`}`}</${Loaded}>`}
  </${Page}>`;
}

function Facts({ of }) {
  return html`<span><code>${of.file}</code></span>${of.profile && html`<span>profile <b>${of.profile}</b></span>`}<span>generation <b>${of.generation ?? '–'}</b></span><span><code>${of.hash}</code></span>
    <span class=${`health is-${of.in_sync ? 'good' : 'warn'}`}><span class="dot" aria-hidden="true"></span>${of.in_sync ? 'the file is what runs' : 'the file is not what runs'}</span>`;
}

function Reload({ done }) {
  const run = async () => {
    const { status, generation } = await post(path('config', 'reload'));
    return status === 'applied' ? `Generation ${generation} runs.` : 'The file is what runs already.';
  };
  return html`<${Action} role="admin" run=${run} done=${done}>Reload now</${Action}>`;
}

function Pending({ of }) {
  if (of.error) return html`<${Panel} title="The file has mistakes"><pre class="code" tabindex="0">${of.error}</pre></${Panel}>`;
  if (!of.pending.length) return html`<${Empty} title="Nothing: the file is what runs." />`;
  return html`<${Panel} title="What the file would change" className="flush"><${Changes} of=${of.pending} label="What the file would change" /></${Panel}>`;
}
