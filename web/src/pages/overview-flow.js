// The pipe of the whole project: what comes in, what is in it, what goes out, what fell out.
import { count, rate, short } from '../lib/format.js';
import { html } from '../lib/html.js';
import { to } from '../lib/router.js';
import { Spark } from '../ui/spark.js';

const PARTS = [['delayed', 'delayed'], ['waiting', 'waiting'], ['active', 'running']];

export function Flow({ all }) {
  const { totals, throughput } = all;
  return html`<section class="flow" aria-label="All queues together">
    <div class="flow-end"><b>${rate(totals.in_per_second)}</b><span>in</span></div>
    <div class="flow-pipe">${PARTS.map(([state, word]) => html`
      <div key=${state} class=${`flow-part is-${state} ${totals[state] ? '' : 'is-empty'}`} style=${{ flexGrow: 1 + Math.log10(1 + totals[state]) }} title=${count(totals[state])}>
        <b>${short(totals[state])}</b><span>${word}</span></div>`)}</div>
    <div class="flow-end out"><b>${rate(totals.out_per_second)}</b><span>out</span></div>
    <a class=${`flow-dead ${totals.dead ? 'is-dead' : ''}`} href=${to('dead')}><b>${short(totals.dead)}</b><span>dead</span></a>
    <div class="flow-spark"><${Spark} of=${throughput} width=${240} height=${44} label="Completed jobs a second, in the last minute" /><span>completed a second, last minute</span></div>
  </section>`;
}
