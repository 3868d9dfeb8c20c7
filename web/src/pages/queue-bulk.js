// What to do with the selected jobs, or with all that the filters mean.
import { path, post } from '../lib/api.js';
import { count, plural } from '../lib/format.js';
import { BULK, bulkOf, filtersOf } from '../lib/filters.js';
import { html, useEffect, useState } from '../lib/html.js';
import { Action } from '../ui/action.js';
import { began } from '../ui/tasks.js';

const WORDS = {
  retry: ['Retry', 'They wait again, with all their attempts.'],
  promote: ['Run now', 'They become due at once.'],
  cancel: ['Cancel', 'Those that wait do not run; those that run are told to stop.'],
  remove: ['Remove', 'They are deleted, with their results and errors. Jobs that run stay.'],
};

export function Bulk({ queue, query, chosen, choose, data, done }) {
  const [all, setAll] = useState(false);
  useEffect(() => setAll(false), [queue, query]);
  if (!data?.jobs.length && !chosen.size) return null;
  const filtered = Object.keys(filtersOf(query)).length > 0;
  // A search by the beginning of an id finds at most a page, and bulk filters know no ids.
  const wide = data?.more && !query.id && query.state;
  const what = all ? (filtered ? 'all that fit the filters' : `all ${count(data.total)} ${query.state} jobs`) : plural(chosen.size, 'job');
  const end = () => {
    choose(new Set());
    setAll(false);
    done();
  };
  const run = (action) => async () => began(await post(path('queues', queue, 'bulk'), { do: action, ...(all ? bulkOf(query) : { ids: [...chosen] }) }));
  return html`<div class=${`bulk ${chosen.size || all ? 'is-on' : ''}`} role="group" aria-label="With the selected jobs">
    <span aria-live="polite">${chosen.size || all ? html`<b>${what}</b> selected` : 'Select jobs to act on many at once (x).'}</span>
    ${(BULK[query.state ?? ''] ?? []).map((action) => html`<${Action} key=${action} run=${run(action)} done=${end} className=${action === 'remove' ? 'danger' : ''}
      unless=${chosen.size || all ? null : 'Select jobs first.'} ask=${all || chosen.size > 1 || action === 'remove' ? question(action, what) : null}>${WORDS[action][0]}</${Action}>`)}
    ${wide && html`<label class="inline"><input type="checkbox" checked=${all} onChange=${() => setAll(!all)} />${filtered ? 'all that fit the filters' : `all ${count(data.total)}`}</label>`}
  </div>`;
}

const question = (action, what) => ({
  title: `${WORDS[action][0]} ${what}?`, text: WORDS[action][1], action: WORDS[action][0], danger: action === 'remove' || action === 'cancel',
});
