// Short words at the edge of the page about what was done. Screen readers hear them.
import { html } from '../lib/html.js';
import { store, useStore } from '../lib/store.js';
import { Icon } from './icon.js';

const shown = store([]);
let last = 0;

export function tell(text, { bad = false, help, link } = {}) {
  last += 1;
  const toast = { key: last, text, bad, help, link };
  shown.set((now) => [...now.slice(-3), toast]);
  setTimeout(() => drop(toast.key), bad ? 12_000 : 5000);
}

export const complain = (error) => tell(error.message, { bad: true, help: error.help });
const drop = (key) => shown.set((now) => now.filter((toast) => toast.key !== key));

export function Toasts() {
  const toasts = useStore(shown);
  return html`<div class="toasts" role="status" aria-live="polite">${toasts.map(({ key, text, bad, help, link }) => html`
    <div key=${key} class=${`toast ${bad ? 'is-bad' : ''}`}>
      <${Icon} name=${bad ? 'alert' : 'completed'} />
      <div><p>${text} ${link && html`<a href=${link[1]}>${link[0]}</a>`}</p>${help && html`<p class="help">${help}</p>`}</div>
      <button type="button" class="quiet square" aria-label="Dismiss" onClick=${() => drop(key)}><${Icon} name="close" /></button>
    </div>`)}</div>`;
}
