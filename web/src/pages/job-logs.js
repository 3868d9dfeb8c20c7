// What the handler told while it ran.
import { html } from '../lib/html.js';
import { Panel } from '../ui/bits.js';
import { Copy, Part } from '../ui/json.js';
import { Bar } from '../ui/spark.js';

export function Logs({ lines }) {
  if (!lines?.length) return null;
  return html`<${Panel} title=${`Log (${lines.length})`} side=${html`<${Copy} text=${() => lines.join('\n')} what="the log" />`}>
    <ol class="log" tabindex="0" aria-label="Log lines">${lines.map((line, n) => html`<li key=${n}>${line}</li>`)}</ol></${Panel}>`;
}

export function Progress({ part, state }) {
  if (!part || part.value === null) return null;
  const { value } = part;
  const percent = typeof value === 'number' ? value : typeof value?.percent === 'number' ? value.percent : null;
  return html`<${Panel} title="Progress">
    ${percent !== null && html`<p class="progress"><${Bar} part=${percent} whole=${100} kind=${state === 'active' ? 'active' : 'accent'} label="Progress" /><b>${percent} %</b></p>`}
    ${typeof value !== 'number' && html`<${Part} part=${part} name="progress" />`}</${Panel}>`;
}
