// What happens to the jobs of a queue, as it happens. The broker tells only while somebody follows.
import { cut, clock, duration } from '../lib/format.js';
import { html, useEffect, useRef, useState } from '../lib/html.js';
import { follow } from '../lib/live.js';
import { to } from '../lib/router.js';
import { Panel } from '../ui/bits.js';
import { Empty } from '../ui/message.js';

const KEPT = 200;
const FAILS = ['retry', 'dead', 'reclaimed'];

export function Events({ queue }) {
  const [events, set] = useState([]);
  const [held, setHeld] = useState(false);
  const [failed, setFailed] = useState(false);
  const waits = useRef(held);
  const number = useRef(0);
  waits.current = held;
  useEffect(() => follow(queue, (event) => {
    number.current += 1;
    if (!waits.current) set((now) => [{ ...event, key: number.current }, ...now].slice(0, KEPT));
  }), [queue]);
  const shown = failed ? events.filter(({ event }) => FAILS.includes(event)) : events;
  const side = html`<label class="inline"><input type="checkbox" checked=${failed} onChange=${() => setFailed(!failed)} />Failures only</label>
    <button type="button" aria-pressed=${String(held)} onClick=${() => setHeld(!held)}>${held ? 'Go on' : 'Hold'}</button>`;
  return html`<${Panel} title="As it happens" side=${side} className="flush">
    ${shown.length ? html`<ol class="events" aria-label="Events, the newest first" tabindex="0">${shown.map((event) => html`<${Event} key=${event.key} of=${event} />`)}</ol>`
      : html`<${Empty} title="Nothing yet.">It is told from now on, while this page is open.</${Empty}>`}
  </${Panel}>`;
}

function Event({ of }) {
  if (of.event === 'missed') return html`<li class="hint">more happened here than could be told</li>`;
  return html`<li class=${`is-${of.event}`}><time>${clock(of.at)}</time><b>${of.event}</b><a href=${to('queues', of.queue, 'jobs', of.id)}>${cut(of.id, 32)}</a><span>${of.name}</span>
    ${of.attempt && html`<span>attempt ${of.attempt}</span>`}${of.duration_ms !== null && html`<span>${duration(of.duration_ms)}</span>`}
    ${of.error && html`<span class="error-text">${of.error.type}: ${cut(of.error.message, 120)}</span>`}</li>`;
}
