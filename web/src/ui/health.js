// How a queue is, in a word and a colour; the reason in full as its title.
import { html } from '../lib/html.js';

const KINDS = { ok: 'good', paused: 'quiet', held: 'warn', stopped: 'bad', failing: 'bad', behind: 'warn', removed: 'quiet' };

export const kindOf = ({ health }) => KINDS[health] ?? 'warn';

export function Health({ of, full }) {
  return html`<span class=${`health is-${kindOf(of)}`} title=${of.health_reason}><span class="dot" aria-hidden="true"></span>${of.health}
    ${full && of.health_reason && html`<span class="health-reason">${of.health_reason}</span>`}</span>`;
}
