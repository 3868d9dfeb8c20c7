// Small pictures of figures in a line of text.
import { html } from '../lib/html.js';

// Bars, the newest at the right; what failed stands in front in its own colour.
export function Spark({ of, failed = [], label, width = 120, height = 24 }) {
  const top = Math.max(1, ...of, ...failed);
  const step = width / Math.max(1, of.length);
  const bars = (values) => values.map((n, i) => {
    const tall = n ? Math.max(1, (n / top) * height) : 0;
    return tall ? `M${(i * step).toFixed(2)} ${height}v${-tall.toFixed(2)}h${(step * 0.72).toFixed(2)}v${tall.toFixed(2)}z` : '';
  }).join('');
  return html`<svg class="spark" viewBox=${`0 0 ${width} ${height}`} preserveAspectRatio="none" role="img" aria-label=${label}>
    <path class="spark-base" d=${`M0 ${height - 0.5}h${width}`} /><path class="spark-bars" d=${bars(of)} /><path class="spark-failed" d=${bars(failed)} /></svg>`;
}

// The pipe: what is in a queue, from what waits to what runs. Lengths grow with the logarithm: 3 and 300,000 both show.
const PARTS = ['blocked', 'delayed', 'waiting', 'active'];

export function Pipe({ of, paused }) {
  const parts = PARTS.map((state) => [state, of[state]]).filter(([, n]) => n > 0);
  const label = parts.map(([state, n]) => `${n} ${state}`).join(', ') || 'empty';
  return html`<span class=${`pipe ${paused ? 'is-shut' : ''}`} role="img" aria-label=${label} title=${label}>
    ${parts.map(([state, n]) => html`<span key=${state} class=${`pipe-part is-${state}`} style=${{ flexGrow: 1 + Math.log10(n) * 2 }}></span>`)}</span>`;
}

export function Bar({ part, whole, kind = 'accent', label }) {
  const percent = whole ? Math.min(100, (100 * part) / whole) : 0;
  return html`<span class="bar" role="progressbar" aria-label=${label} aria-valuemin="0" aria-valuemax="100" aria-valuenow=${Math.round(percent)}>
    <span class=${`bar-fill is-${kind}`} style=${{ width: `${percent}%` }}></span></span>`;
}
