// A table that becomes a list of cards on a phone: so the roles are said, and each cell carries its column's name.
import { html } from '../lib/html.js';
import { Icon } from './icon.js';

// columns: { key, label, cell(row), num, sort, className, hideLabel }. sort: '-key' or 'key'; onSort gets the next.
export function Table({ label, columns, rows, keyOf, sort, onSort, chosen, onChoose, rowClass, children }) {
  const all = chosen && rows.length > 0 && rows.every((row) => chosen.has(keyOf(row)));
  const chooseAll = () => onChoose(all ? new Set() : new Set(rows.map(keyOf)));
  return html`<div class="table-wrap" role="region" aria-label=${label} tabindex="0"><table role="table" aria-label=${label}>
    <thead role="rowgroup"><tr role="row">
      ${chosen && html`<th role="columnheader" class="check"><input type="checkbox" aria-label="Select all on this page" checked=${all} onChange=${chooseAll} /></th>`}
      ${columns.map((column) => html`<${Head} key=${column.key} column=${column} sort=${sort} onSort=${onSort} />`)}
    </tr></thead>
    <tbody role="rowgroup">${children}
      ${rows.map((row) => html`<${Row} key=${keyOf(row)} row=${row} id=${keyOf(row)} columns=${columns} chosen=${chosen} onChoose=${onChoose} className=${rowClass?.(row)} />`)}
    </tbody>
  </table></div>`;
}

function Head({ column, sort, onSort }) {
  const { key, label, num, sort: sortable, className = '', hideLabel } = column;
  const style = `${num ? 'num' : ''} ${className}`;
  if (hideLabel) return html`<th role="columnheader" class=${style}><span class="unseen">${label}</span></th>`;
  if (!sortable || !onSort) return html`<th role="columnheader" class=${style}>${label}</th>`;
  const down = sort === `-${key}`;
  const order = down ? 'descending' : sort === key ? 'ascending' : 'none';
  return html`<th role="columnheader" class=${style} aria-sort=${order}>
    <button type="button" class="sorter" onClick=${() => onSort(down || (sort !== key && sortable === 'text') ? key : `-${key}`)}>${label}
      ${order !== 'none' && html`<${Icon} name=${down ? 'down' : 'up'} />`}</button></th>`;
}

function Row({ row, id, columns, chosen, onChoose, className = '' }) {
  const toggle = () => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    onChoose(next);
  };
  return html`<tr role="row" data-row class=${`${className} ${chosen?.has(id) ? 'chosen' : ''}`} tabindex="-1">
    ${chosen && html`<td role="cell" class="check"><input type="checkbox" aria-label=${`Select ${id}`} checked=${chosen.has(id)} onChange=${toggle} /></td>`}
    ${columns.map(({ key, label, cell, num, className: style = '' }) => html`
      <td key=${key} role="cell" class=${`${num ? 'num' : ''} ${style}`} data-label=${label}>${cell(row)}</td>`)}
  </tr>`;
}

// Rows in the order that `sort` names; columns' `sort` is a function of a row (or 'text', with `by`).
export function sorted(rows, columns, sort) {
  const down = sort?.startsWith('-');
  const column = columns.find(({ key }) => key === sort?.replace(/^-/, ''));
  if (!column?.by) return rows;
  const value = (row) => column.by(row) ?? -1;
  const order = (a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0);
  return [...rows].sort((a, b) => (down ? -order(a, b) : order(a, b)));
}
