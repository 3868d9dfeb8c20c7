// A chart over time: lines drawn by uPlot, and the same figures as a table for who does not see it.
import uPlot from 'uplot';
import { absolute, clock } from '../lib/format.js';
import { html, useEffect, useRef, useState } from '../lib/html.js';
import { colour, onTheme } from '../lib/theme.js';

const TALL = 190;

// at: ms; series: [{ label, values, colour (a CSS variable), fill }]; words: how a value is written
export function Chart({ title, at, series, words, summary, synced }) {
  const place = useRef(null);
  const plot = useRef(null);
  const [theme, setTheme] = useState(0);
  useEffect(() => onTheme(() => setTheme((n) => n + 1)), []);
  const shape = JSON.stringify([series.map(({ label }) => label), theme]);

  useEffect(() => {
    const made = new uPlot(options(place.current.clientWidth, series, words, synced), dataOf(at, series), place.current);
    plot.current = made;
    const sizes = new ResizeObserver(([{ contentRect }]) => made.setSize({ width: Math.floor(contentRect.width), height: TALL }));
    sizes.observe(place.current);
    return () => {
      sizes.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape]);
  useEffect(() => plot.current?.setData(dataOf(at, series)), [at, series]);

  return html`<figure class="chart" aria-label=${title}>
    <figcaption><b>${title}</b><span class="hint">${summary}</span></figcaption>
    <div class="chart-place" ref=${place} aria-hidden="true"></div>
    <${AsTable} title=${title} at=${at} series=${series} words=${words} />
  </figure>`;
}

const dataOf = (at, series) => [at.map((ms) => ms / 1000), ...series.map(({ values }) => values)];

function options(width, series, words, synced) {
  const [ink, line] = [colour('ink-2'), colour('line')];
  const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, font: '11px system-ui, sans-serif' };
  return {
    width: Math.max(200, Math.floor(width)), height: TALL, legend: { show: true, live: true }, cursor: { sync: synced ? { key: synced } : undefined, points: { size: 6 }, drag: { x: false, y: false } },
    scales: { y: { range: (_, low, high) => [0, high > 0 ? high * 1.08 : 1] } },
    axes: [{ ...axis, space: 64, values: timeTicks }, { ...axis, size: 58, values: (_, ticks) => ticks.map(words) }],
    series: [{ value: (_, at) => (at === null ? '' : absolute(at * 1000)) }, ...series.map(({ label, colour: name, fill, dash }) => ({
      label, stroke: colour(name), width: 1.6, dash, fill: fill ? colour(`${name}-soft`) : undefined, points: { size: 5, show: () => false, filter: lonely }, spanGaps: false, value: (_, n) => (n === null ? '–' : words(n)),
    }))],
  };
}

// A value without neighbours is no line: it is drawn as a point.
function lonely(plot, n) {
  const values = plot.data[n];
  const none = (i) => (values[i] ?? null) === null;
  return [...values.keys()].filter((i) => !none(i) && none(i - 1) && none(i + 1));
}

// Days need their date, hours do not.
function timeTicks(_, ticks, __, ___, increment) {
  return ticks.map((at) => (increment >= 86_400 ? absolute(at * 1000).slice(5, 10) : clock(at * 1000, false)));
}

function AsTable({ title, at, series, words }) {
  const [open, setOpen] = useState(false);
  const rows = open ? at.map((ms, n) => [ms, n]).filter(([, n]) => series.some(({ values }) => values[n])).reverse() : [];
  return html`<details class="as-table" open=${open} onToggle=${(event) => setOpen(event.target.open)}><summary>As a table</summary>
    ${open && html`<div class="table-wrap tall" tabindex="0" role="region" aria-label=${title}><table><thead><tr><th>Time</th>${series.map(({ label }) => html`<th key=${label} class="num">${label}</th>`)}</tr></thead>
      <tbody>${rows.map(([ms, n]) => html`<tr key=${ms}><td>${absolute(ms)}</td>${series.map(({ label, values }) => html`<td key=${label} class="num">${values[n] === null ? '–' : words(values[n])}</td>`)}</tr>`)}</tbody></table></div>`}
  </details>`;
}
