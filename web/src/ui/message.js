// What a page says when it has nothing to show, or not yet, or cannot.
import { absolute } from '../lib/format.js';
import { html, useEffect, useState } from '../lib/html.js';
import { Icon } from './icon.js';

export function Empty({ title, children }) {
  return html`<div class="message"><p class="message-title">${title}</p>${children && html`<div class="message-text">${children}</div>`}</div>`;
}

// Nothing for a moment: an answer that comes at once should not flash.
export function Loading({ what = 'this' }) {
  const [late, set] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => set(true), 400);
    return () => clearTimeout(timer);
  }, []);
  return html`<div class="message loading" role="status">${late ? `Asking for ${what} …` : ''}</div>`;
}

export function Failed({ error, retry }) {
  return html`<div class="message failed" role="alert">
    <p class="message-title"><${Icon} name="alert" />${error.message}</p>
    ${error.help && html`<div class="message-text">${error.help}</div>`}
    ${retry && html`<p><button type="button" onClick=${retry}>Try again</button></p>`}
  </div>`;
}

// What was loaded, or why it is not here. An error beside older data is told above that data.
export function Loaded({ of, what, children }) {
  if (!of.data) return of.error ? html`<${Failed} error=${of.error} retry=${of.reload} />` : html`<${Loading} what=${what} />`;
  return html`
    ${of.error && html`<p class="notice is-warn" role="status"><${Icon} name="alert" />
      ${of.error.message} What you see is from ${absolute(of.at)}. ${of.error.help}</p>`}
    ${children(of.data)}`;
}
