// What a list of jobs is narrowed by. It is in the address, so a search can be sent to a colleague.
import { FIELDS } from '../lib/filters.js';
import { html, useEffect, useRef, useState } from '../lib/html.js';
import { replace } from '../lib/router.js';
import { Icon } from '../ui/icon.js';

const REST_MS = 350;
const SINCE = [['', 'any time'], ['10m', 'last 10 minutes'], ['1h', 'last hour'], ['1d', 'last day'], ['7d', 'last 7 days']];
const UNTIL = [['', 'now'], ['10m', '10 minutes ago'], ['1h', 'an hour ago'], ['1d', 'a day ago'], ['7d', '7 days ago']];

export function Filters({ queue, about, query }) {
  const [given, set] = useState(query);
  const [more, setMore] = useState(FIELDS.some((field) => field !== 'text' && query[field]));
  const sent = useRef(query);
  // What is typed goes out when the typing rests.
  useEffect(() => {
    const timer = setTimeout(() => {
      if (FIELDS.every((field) => (given[field] ?? '') === (sent.current[field] ?? ''))) return;
      sent.current = given;
      replace('queues', queue, { state: query.state, ...Object.fromEntries(FIELDS.map((field) => [field, given[field]])) });
    }, REST_MS);
    return () => clearTimeout(timer);
  }, [given]);
  const bound = (name) => ({ value: given[name] ?? '', onInput: (event) => set({ ...given, [name]: event.target.value }), autocomplete: 'off', spellcheck: false });
  const any = FIELDS.some((field) => given[field]);
  return html`<form class="filters" role="search" aria-label="Jobs" onSubmit=${(event) => event.preventDefault()}>
    <div class="filter-line">
      <label class="searcher"><${Icon} name="search" /><span class="unseen">Search ids, names, errors and payloads</span>
        <input type="search" data-search placeholder="Search ids, names, errors, payloads" ...${bound('text')} /></label>
      <button type="button" aria-expanded=${String(more)} onClick=${() => setMore(!more)}>Filters<${Icon} name=${more ? 'up' : 'down'} /></button>
      ${any && html`<button type="button" class="quiet" onClick=${() => set({})}>Clear</button>`}
      ${given.group && html`<span class="chip">group ${given.group}</span>`}
    </div>
    ${more && html`<div class="filter-line more-filters">
      <label>Id begins<input ...${bound('id')} /></label>
      <label>Job name<input list="job-names" ...${bound('job')} /></label>
      <datalist id="job-names">${about.jobs.map(({ name }) => html`<option key=${name} value=${name} />`)}</datalist>
      <label>Error has<input ...${bound('error')} /></label>
      <label>Ended or came since<select ...${bound('since')}>${SINCE.map(([value, text]) => html`<option key=${value} value=${value}>${text}</option>`)}</select></label>
      <label>and until<select ...${bound('until')}>${UNTIL.map(([value, text]) => html`<option key=${value} value=${value}>${text}</option>`)}</select></label>
    </div>`}
  </form>`;
}
