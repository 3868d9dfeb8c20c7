// The steps of a flow as a picture; each box leads to its job. The same as a list, for who does not see it.
import { cut } from '../lib/format.js';
import { BOX, layout } from '../lib/graph.js';
import { html } from '../lib/html.js';
import { to } from '../lib/router.js';

const EDGE = 10;

// steps: as the API tells them; here: the name of the step that the reader comes from
export function Graph({ steps, here, label }) {
  const { width, height, boxes, lines } = layout(steps);
  return html`<div class="graph" tabindex="0" role="group" aria-label=${label}>
    <svg viewBox=${`${-EDGE} ${-EDGE} ${width + 2 * EDGE} ${height + 2 * EDGE}`} width=${width + 2 * EDGE} height=${height + 2 * EDGE}>
      <defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path class="graph-tip" d="M0 0.5l7.500 3.500l-7.500 3.500z" /></marker></defs>
      ${lines.map(({ from, to: next, path }) => html`<path key=${`${from.name} ${next.name}`} class=${`graph-line is-${from.state ?? 'plain'}`} d=${path} marker-end="url(#arrow)" />`)}
      ${boxes.map(({ step, x, y }) => html`<${Box} key=${step.name} step=${step} x=${x} y=${y} here=${step.name === here} />`)}
    </svg></div>`;
}

function Box({ step, x, y, here }) {
  const { name, queue, job, state, ids = [], total, done } = step;
  const link = ids.length ? to('queues', queue, 'jobs', ids[0]) : queue && to('queues', queue);
  const note = total > 1 ? `${done} of ${total} jobs` : `${queue} · ${job}`;
  const words = `${name}: ${state ?? 'step'}, ${job} of ${queue}${total > 1 ? `, ${done} of ${total} jobs done` : ''}`;
  return html`<a href=${link} aria-current=${here ? 'step' : null}><g class=${`graph-box is-${state ?? 'plain'} ${here ? 'is-here' : ''}`} transform=${`translate(${x} ${y})`}>
    <rect class="graph-back" width=${BOX.width} height=${BOX.height} rx="7" /><rect class="graph-edge" width="5" height=${BOX.height} rx="2.5" />
    <text class="graph-name" x="15" y="21">${cut(name, 20)}</text><text class="graph-note" x="15" y="38">${cut(note, 26)}</text>
    ${state && html`<text class="graph-state" x=${BOX.width - 9} y="21" text-anchor="end">${state}</text>`}<title>${words}</title></g></a>`;
}
