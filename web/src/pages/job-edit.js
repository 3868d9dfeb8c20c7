// Another payload, priority or time for a job that does not run.
import { call, get, path } from '../lib/api.js';
import { html, useEffect, useState } from '../lib/html.js';
import { mistake, pretty } from '../lib/json.js';
import { Dialog } from '../ui/dialog.js';
import { Editor } from '../ui/editor.js';
import { Icon } from '../ui/icon.js';
import { tell } from '../ui/toast.js';

export function EditJob({ of, close, done }) {
  const { job } = of;
  const at = path('queues', job.queue, 'jobs', job.id);
  const [before, setBefore] = useState(null);
  const [data, setData] = useState('');
  const [priority, setPriority] = useState(String(job.priority));
  const [delay, setDelay] = useState('');
  const [error, setError] = useState(null);
  useEffect(() => {
    get(`${at}/data`).then(({ value, redacted }) => {
      setBefore({ text: pretty(value), redacted });
      setData(pretty(value));
    }, setError);
  }, []);
  const submit = async (event) => {
    event.preventDefault();
    try {
      await call('PATCH', at, undefined, { raw: body(before.text, data, job, priority, delay) });
      tell('It is changed.');
      close();
      done();
    } catch (refused) {
      setError(refused);
    }
  };
  const waits = job.state === 'waiting' || job.state === 'delayed';
  return html`<${Dialog} title=${`Edit ${job.id}`} close=${close} wide><form onSubmit=${submit}>
    ${before ? html`<${Editor} label="Payload (job.data)" value=${data} onInput=${setData} />` : !error && html`<p class="hint">Asking for the payload …</p>`}
    ${before?.redacted.length > 0 && html`<p class="notice is-info"><${Icon} name="key" />Where it says [redacted] the value is hidden, and stays what it is: ${before.redacted.join(', ')}.</p>`}
    <div class="fields">
      <label class="field">Priority, higher runs first<input type="number" value=${priority} onInput=${(event) => setPriority(event.target.value)} /></label>
      ${waits && html`<label class="field">Run in (nothing: as it is)<input value=${delay} placeholder="0s, 5m, 1h" onInput=${(event) => setDelay(event.target.value)} /></label>`}
    </div>
    ${error && html`<p class="notice is-bad" role="alert"><${Icon} name="alert" />${error.message} ${error.help}</p>`}
    <footer><button type="button" onClick=${close}>Leave it</button><button type="submit" class="primary" disabled=${!before || Boolean(mistake(data))}>Save</button></footer>
  </form></${Dialog}>`;
}

// Only what was changed is sent, and the payload as it was typed.
function body(before, data, job, priority, delay) {
  const rest = { ...(Number(priority) === job.priority ? {} : { priority: Number(priority) }), ...(delay ? { delay } : {}) };
  const fields = JSON.stringify(rest).slice(1, -1);
  const payload = data === before ? '' : `"data":${data}`;
  return `{${[fields, payload].filter(Boolean).join(',')}}`;
}
