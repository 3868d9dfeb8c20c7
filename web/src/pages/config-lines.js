// The effective config as YAML; beside each line where its value was written.
import { html, useState } from '../lib/html.js';
import { Panel } from '../ui/bits.js';
import { Copy } from '../ui/json.js';
import { Empty } from '../ui/message.js';

export function EffectiveConfig({ of: { lines, error, file } }) {
  const folder = file.slice(0, file.lastIndexOf('/') + 1);
  const [find, setFind] = useState('');
  const [own, setOwn] = useState(false);
  if (error) return html`<${Panel} title="The file has mistakes"><pre class="code" tabindex="0">${error}</pre></${Panel}>`;
  const shown = lines.map((line, n) => ({ ...line, n: n + 1 })).filter(({ text, origin }) => (!own || origin !== 'built-in') && text.toLowerCase().includes(find.toLowerCase()));
  const side = html`<label class="inline"><input type="checkbox" checked=${own} onChange=${() => setOwn(!own)} />Without what is built in</label>
    <input type="search" data-search aria-label="Find in the config" placeholder="Find in the config" value=${find} onInput=${(event) => setFind(event.target.value)} />
    <${Copy} text=${() => lines.map(({ text }) => text).join('\n')} what="the config" />`;
  return html`<${Panel} title="With all defaults, passwords hidden" side=${side} className="flush">
    ${shown.length ? html`<div class="config" tabindex="0" role="group" aria-label="The effective config">${shown.map(({ n, text, origin }) => html`
      <div key=${n} class=${`config-line ${origin === 'built-in' ? 'is-given' : ''}`}><span class="config-number" aria-hidden="true">${n}</span><${Text} of=${text} /><span class="config-origin" title=${origin}>${(origin ?? '').replace(folder, '')}</span></div>`)}</div>`
      : html`<${Empty} title="No line has that." />`}
  </${Panel}>`;
}

function Text({ of }) {
  const [, space, key, rest] = /^(\s*(?:- )?)([^:]+:)?(.*)$/s.exec(of);
  return html`<code>${space}${key && html`<span class="json-key">${key}</span>`}${rest}</code>`;
}
