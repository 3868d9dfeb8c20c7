// A field for JSON that says where it is wrong, while one types.
import { html, useId } from '../lib/html.js';
import { fieldsOf, mistake, pretty } from '../lib/json.js';

export function Editor({ label, value, onInput, schema, rows = 12 }) {
  const id = useId();
  const wrong = mistake(value);
  const format = () => !wrong && onInput(pretty(JSON.parse(value)));
  // Tab goes on to the next field, as everywhere; two spaces are typed.
  return html`<div class="editor">
    <div class="editor-head"><label for=${id}>${label}</label>
      <button type="button" class="quiet" onClick=${format} disabled=${Boolean(wrong)}>Tidy</button></div>
    <textarea id=${id} class="code" rows=${rows} spellcheck=${false} autocomplete="off" autocapitalize="off" value=${value} aria-invalid=${wrong ? 'true' : null}
      aria-describedby=${`${id}-says`} onInput=${(event) => onInput(event.target.value)}></textarea>
    <p id=${`${id}-says`} class=${`says ${wrong ? 'is-bad' : ''}`} aria-live="polite">${wrong ? `Line ${wrong.line}, column ${wrong.column}: ${wrong.message}` : 'This is JSON.'}</p>
    <${Wanted} schema=${schema} />
  </div>`;
}

function Wanted({ schema }) {
  const fields = fieldsOf(schema);
  if (!fields.length) return null;
  return html`<details class="wanted"><summary>What the schema wants: ${fields.length} ${fields.length === 1 ? 'field' : 'fields'}</summary>
    <ul>${fields.map(({ name, type, required, text }) => html`<li key=${name}><code>${name}</code> ${type}${required ? '' : ', may be missing'}${text && html`<br /><small>${text}</small>`}</li>`)}</ul></details>`;
}
