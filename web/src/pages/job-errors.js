// Why attempts failed, the newest first.
import { html } from '../lib/html.js';
import { Panel, Time } from '../ui/bits.js';
import { Copy } from '../ui/json.js';

export function Errors({ errors, error, state }) {
  const known = errors.length ? [...errors].reverse() : error ? [{ ...error, attempt: null, at: null }] : [];
  if (!known.length) return null;
  const title = state === 'dead' ? 'Why it died' : known.length === 1 ? 'The failed attempt' : 'Failed attempts';
  return html`<${Panel} title=${title} className="errors">${known.map((each, n) => html`<${Attempt} key=${each.attempt ?? 'last'} of=${each} open=${n === 0} />`)}</${Panel}>`;
}

function Attempt({ of: { attempt, at, type, message, traceback }, open }) {
  return html`<details class="attempt" open=${open}>
    <summary>${attempt && html`<span class="chip">attempt ${attempt}</span>`}<b>${type}</b> <span class="error-text">${message}</span> ${at && html`<small><${Time} at=${at} millis /></small>`}</summary>
    ${traceback && html`<div class="trace"><${Copy} text=${() => traceback} what="the traceback" /><pre class="code" tabindex="0" aria-label="Traceback">${traceback}</pre></div>`}
  </details>`;
}
