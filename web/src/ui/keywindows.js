// The windows of the keys: the list of them, and "go to" with the names of queues.
import { html, useState } from '../lib/html.js';
import { KEYS, opened } from '../lib/keys.js';
import { overview } from '../lib/live.js';
import { to } from '../lib/router.js';
import { useStore } from '../lib/store.js';
import { Dialog } from './dialog.js';

const PAGES = ['overview', 'dead', 'schedules', 'flows', 'workers', 'charts', 'config', 'alerts', 'audit', 'settings'];
const close = () => opened.set(null);

export function KeyWindows() {
  const which = useStore(opened);
  if (which === 'help') return html`<${Help} />`;
  return which === 'jump' ? html`<${Jump} />` : null;
}

function Help() {
  return html`<${Dialog} title="Keys" close=${close}>
    <dl class="keys">${KEYS.map(([keys, text]) => html`<div key=${keys}><dt><kbd>${keys}</kbd></dt><dd>${text}</dd></div>`)}</dl>
  </${Dialog}>`;
}

function Jump() {
  const [text, setText] = useState('');
  const [at, setAt] = useState(0);
  const queues = (useStore(overview)?.queues ?? []).map(({ name }) => [name, 'queue', to('queues', name)]);
  const pages = PAGES.map((name) => [name, 'page', name === 'overview' ? to() : to(name)]);
  const found = [...queues, ...pages].filter(([name]) => name.includes(text.trim().toLowerCase())).slice(0, 12);
  const open = (link) => {
    close();
    location.hash = link;
  };
  const key = (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by) setAt((now) => Math.max(0, Math.min(found.length - 1, now + by)));
    if (event.key === 'Enter' && found[at]) open(found[at][2]);
    if (by || event.key === 'Enter') event.preventDefault();
  };
  const input = (event) => {
    setText(event.target.value);
    setAt(0);
  };
  return html`<${Dialog} title="Go to" close=${close}>
    <input type="search" role="combobox" aria-label="A queue or a page" aria-expanded="true" aria-controls="jumps" aria-activedescendant=${`jump-${at}`}
      value=${text} onInput=${input} onKeyDown=${key} autocomplete="off" spellcheck=${false} />
    <ul class="jumps" role="listbox" id="jumps" aria-label="Where to">${found.map(([name, kind, link], n) => html`
      <li key=${link} role="option" id=${`jump-${n}`} aria-selected=${String(n === at)} onClick=${() => open(link)}><span>${name}</span><small>${kind}</small></li>`)}</ul>
    ${!found.length && html`<p class="hint">No queue or page of this name.</p>`}
  </${Dialog}>`;
}
