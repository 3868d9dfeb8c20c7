// What happened to the job, and how long it was in between.
import { cut, duration } from '../lib/format.js';
import { html } from '../lib/html.js';
import { Panel, Time } from '../ui/bits.js';
import { Icon } from '../ui/icon.js';

const ICONS = { enqueued: 'plus', started: 'active', failed: 'failed', due: 'delayed', completed: 'completed', dead: 'dead', cancelled: 'cancelled' };
const WORDS = { enqueued: 'came', due: 'due again' };

export function Timeline({ of: { timeline } }) {
  if (!timeline.length) return null;
  return html`<${Panel} title="Timeline"><ol class="timeline">${timeline.map((event, n) => {
    const pause = n ? event.at - timeline[n - 1].at : 0;
    return html`<li key=${n} class=${`is-${event.event}`}>
      ${pause > 0 && html`<span class="pause" aria-label=${`after ${duration(pause)}`}>${duration(pause)}</span>`}
      <span class="point"><${Icon} name=${ICONS[event.event] ?? 'pending'} /></span>
      <div><b>${WORDS[event.event] ?? event.event}</b>${event.attempt && html` <small>attempt ${event.attempt}</small>`} <small><${Time} at=${event.at} millis /></small>
        ${event.text && html`<p class="error-text">${cut(event.text, 240)}</p>`}</div></li>`;
  })}</ol></${Panel}>`;
}
