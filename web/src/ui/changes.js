// What differs between two configs, a line a value.
import { cut } from '../lib/format.js';
import { html } from '../lib/html.js';
import { Table } from './table.js';

const COLUMNS = [
  { key: 'path', label: 'Key', className: 'wide-cell', cell: ({ path }) => html`<code class="name">${path}</code>` },
  { key: 'from', label: 'From', className: 'grow', cell: ({ kind, from }) => (kind === 'added' ? '–' : html`<del>${kind === 'removed' && from === null ? 'gone' : text(from)}</del>`) },
  { key: 'to', label: 'To', className: 'grow', cell: ({ kind, to }) => (kind === 'removed' ? '–' : html`<ins>${kind === 'added' && to === null ? 'new' : text(to)}</ins>`) },
  { key: 'class', label: 'Class', cell: ({ class: kind }) => html`<span class=${`chip class-${kind}`} title=${MEANS[kind]}>${kind}</span>` },
];

const MEANS = { hot: 'applied to running workers between two jobs', rolling: 'the pool’s processes are replaced one at a time', restart: 'needs a restart of pipeline run' };
const text = (value) => cut(typeof value === 'string' ? value : JSON.stringify(value), 200);

export function Changes({ of, label }) {
  return html`<${Table} label=${label} columns=${COLUMNS} rows=${of} keyOf=${({ path }) => path} />`;
}
