// A JSON value to read: levels open and close, long lists come in pieces, what is hidden says so.
import { get } from '../lib/api.js';
import { bytes, cut } from '../lib/format.js';
import { html, useState } from '../lib/html.js';
import { pretty } from '../lib/json.js';
import { Icon } from './icon.js';
import { complain, tell } from './toast.js';

const HIDDEN = '[redacted]';
const PIECE = 100;
const LONG = 600;

// part: what the API says of a value that may be large; whole: the address of all of it
export function Part({ part, whole, name, none }) {
  const [all, setAll] = useState(null);
  if (!part) return html`<p class="hint pad">${none}</p>`;
  const load = () => get(whole).then(setAll, complain);
  const { value, text, truncated, bytes: size, redacted } = all ? { ...part, ...all, text: null, truncated: false } : part;
  return html`<div class="json">
    <p class="json-head"><span>${bytes(size)}</span>
      ${redacted.length > 0 && html`<span title=${redacted.join('\n')}><${Icon} name="key" />${redacted.length} hidden: ${cut(redacted.join(', '), 60)}</span>`}
      ${truncated && html`<span>the first 64 KiB</span><button type="button" onClick=${load}>Load the whole</button>`}
      ${!truncated && html`<${Copy} text=${() => pretty(value)} what=${name} />`}</p>
    ${text === null ? html`<div class="json-tree" role="group" aria-label=${name}><${Value} value=${value} open=${2} /></div>` : html`<pre class="code" tabindex="0">${text}…</pre>`}
  </div>`;
}

export function Copy({ text, what }) {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text());
      tell(`Copied ${what}.`);
    } catch {
      tell('This browser does not let a page copy here.', { bad: true, help: 'It does on https:// and on localhost.' });
    }
  };
  return html`<button type="button" class="quiet" onClick=${copy}><${Icon} name="copy" />Copy</button>`;
}

function Value({ value, open }) {
  if (Array.isArray(value)) return html`<${Level} entries=${value.map((item, i) => [i, item])} ends="[]" open=${open} />`;
  if (value !== null && typeof value === 'object') return html`<${Level} entries=${Object.entries(value)} ends="{}" open=${open} />`;
  return html`<${Leaf} value=${value} />`;
}

function Leaf({ value }) {
  const [all, setAll] = useState(false);
  if (value === HIDDEN) return html`<span class="hidden-value" title="Hidden by redact: in the config">hidden</span>`;
  if (typeof value !== 'string') return html`<span class=${`json-${value === null ? 'null' : typeof value}`}>${String(value)}</span>`;
  const shown = all || value.length <= LONG ? value : value.slice(0, LONG);
  return html`<span class="json-string">${JSON.stringify(shown)}</span>
    ${shown.length < value.length && html` <button type="button" class="quiet" onClick=${() => setAll(true)}>${value.length - LONG} more characters</button>`}`;
}

function Level({ entries, ends, open }) {
  const [isOpen, setOpen] = useState(open > 0);
  const [pieces, setPieces] = useState(1);
  if (!entries.length) return html`<span class="json-null">${ends}</span>`;
  const shown = entries.slice(0, pieces * PIECE);
  const list = ends === '[]';
  return html`<button type="button" class="json-fold" aria-expanded=${String(isOpen)} aria-label=${list ? 'List' : 'Object'} onClick=${() => setOpen(!isOpen)}>
      <${Icon} name=${isOpen ? 'down' : 'right'} /><span class="json-null">${ends[0]}${isOpen ? '' : `${entries.length}${ends[1]}`}</span></button>
    ${isOpen && html`<ul>${shown.map(([key, item]) => html`<li key=${key}><span class=${list ? 'json-index' : 'json-key'}>${key}</span>: <${Value} value=${item} open=${open - 1} /></li>`)}
      ${shown.length < entries.length && html`<li><button type="button" class="quiet" onClick=${() => setPieces(pieces + 1)}>${entries.length - shown.length} more</button></li>`}</ul>
      <span class="json-null">${ends[1]}</span>`}`;
}
