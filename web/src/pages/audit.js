// Who did what through this dashboard and its API.
import { get, path, search } from '../lib/api.js';
import { html, useState } from '../lib/html.js';
import { useLoad } from '../lib/load.js';
import { may, whyNot } from '../lib/session.js';
import { Page, Panel, Time } from '../ui/bits.js';
import { Empty, Loaded } from '../ui/message.js';
import { Table } from '../ui/table.js';
import { complain } from '../ui/toast.js';

const PIECE = 100;

export function Audit() {
  return html`<${Page} title="Audit" facts=${html`<span>Every action through the dashboard and the API, the newest first.</span>`}>
    ${may('admin') ? html`<${Trail} />` : html`<${Empty} title="You do not see the audit.">${whyNot('admin')}</${Empty}>`}</${Page}>`;
}

function Trail() {
  const loaded = useLoad(search(path('audit'), { limit: PIECE }), { every: 5 });
  const [older, setOlder] = useState([]);
  const [find, setFind] = useState('');
  const more = (last) => get(search(path('audit'), { limit: PIECE, before_at: last })).then(({ entries }) => setOlder((now) => [...now, ...entries]), complain);
  const side = html`<input type="search" data-search aria-label="Find in the audit" placeholder="who, what, from where" value=${find} onInput=${(event) => setFind(event.target.value)} />`;
  return html`<${Loaded} of=${loaded} what="the audit">${({ entries }) => {
    const all = [...entries, ...older.filter(({ at }) => !entries.length || at < entries.at(-1).at)];
    const shown = all.filter(({ by, from, action }) => `${by} ${from} ${action}`.toLowerCase().includes(find.toLowerCase()));
    return all.length ? html`<${Panel} title="What was done" side=${side} className="flush"><${Table} label="Audit" columns=${COLUMNS} rows=${shown} keyOf=${(entry) => `${entry.at} ${entry.by} ${entry.action} ${entry.outcome}`} />
      <p class="pad"><button type="button" onClick=${() => more(all.at(-1).at)}>Older</button></p></${Panel}>` : html`<${Empty} title="Nobody did anything yet." />`;
  }}</${Loaded}>`;
}

const good = (outcome) => Number(outcome) < 400;

const COLUMNS = [
  { key: 'at', label: 'When', cell: ({ at }) => html`<${Time} at=${at} />` },
  { key: 'by', label: 'Who', className: 'wide-cell', cell: ({ by, role }) => html`<b>${by}</b> <small>${role}</small>` },
  { key: 'action', label: 'What', className: 'grow', cell: ({ action }) => html`<code>${action.replace('/api/v1/', '')}</code>` },
  { key: 'outcome', label: 'Outcome', cell: ({ outcome }) => html`<span class=${`health is-${good(outcome) ? 'good' : 'bad'}`}><span class="dot" aria-hidden="true"></span>${outcome}</span>` },
  { key: 'from', label: 'From', cell: ({ from }) => html`<code>${from}</code>` },
];
