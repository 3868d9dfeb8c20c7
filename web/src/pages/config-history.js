// The generations that were applied, and what each changed.
import { path, post, search } from '../lib/api.js';
import { count } from '../lib/format.js';
import { html, useState } from '../lib/html.js';
import { useLoad } from '../lib/load.js';
import { Action } from '../ui/action.js';
import { Panel, Time } from '../ui/bits.js';
import { Changes } from '../ui/changes.js';
import { Empty, Loaded } from '../ui/message.js';

export function Generations() {
  const loaded = useLoad(path('history'), { every: 10 });
  return html`<${Loaded} of=${loaded} what="the generations">${({ generations }) => (generations.length
    ? generations.map((each) => html`<${Generation} key=${each.generation} of=${each} others=${generations} done=${loaded.reload} />`)
    : html`<${Empty} title="No generation was applied yet." />`)}</${Loaded}>`;
}

function Generation({ of, others, done }) {
  const [against, setAgainst] = useState('');
  const back = async () => {
    const { generation } = await post(path('history', of.generation, 'rollback'));
    return `Generation ${of.generation} runs again, as ${generation}. The file is held until it changes.`;
  };
  const title = html`Generation ${of.generation} ${of.running && html`<span class="chip is-good">runs</span>`} <small>${of.origin}, by ${of.by}, <${Time} at=${of.applied_at} /></small>`;
  const side = html`<label>against <select value=${against} onChange=${(event) => setAgainst(event.target.value)}><option value="">the one before</option>
      ${others.filter((other) => other.generation !== of.generation).map(({ generation }) => html`<option key=${generation} value=${generation}>${generation}</option>`)}</select></label>
    <${Action} role="admin" unless=${of.running ? 'It runs.' : null} run=${back} done=${done}
      ask=${{ title: `Back to generation ${of.generation}?`, text: 'It is applied as a new generation, as a reload would. The watcher is held until the file on disk changes.', action: 'Roll back' }}>Roll back</${Action}>`;
  return html`<${Panel} title=${title} side=${side} className="flush">
    ${of.rolled_back_to && html`<p class="hint pad">A rollback to ${of.rolled_back_to}.</p>`}
    ${against ? html`<${Between} from=${against} to=${of.generation} />` : html`<${Shown} changes=${of.changes} />`}</${Panel}>`;
}

function Between({ from, to }) {
  const loaded = useLoad(search(path('history', to), { against: from }), { every: 0 });
  return html`<${Loaded} of=${loaded} what="the differences">${({ generation }) => html`<${Shown} changes=${generation.changes} />`}</${Loaded}>`;
}

function Shown({ changes }) {
  if (!changes) return html`<p class="hint pad">The generation before it is not kept any more.</p>`;
  if (!changes.length) return html`<p class="hint pad">Nothing differs.</p>`;
  return html`<details class="pad-details" open=${changes.length < 12}><summary>${count(changes.length)} ${changes.length === 1 ? 'change' : 'changes'}</summary><${Changes} of=${changes} label="Changes" /></details>`;
}
