// A new job: its name, its payload, when it runs.
import { call, path } from '../lib/api.js';
import { html, useState } from '../lib/html.js';
import { example, mistake, pretty } from '../lib/json.js';
import { to } from '../lib/router.js';
import { Dialog } from '../ui/dialog.js';
import { Editor } from '../ui/editor.js';
import { Icon } from '../ui/icon.js';
import { tell } from '../ui/toast.js';

const begin = (job) => pretty(job?.schema ? example(job.schema) : {});

export function AddJob({ about, close, done }) {
  const { queue, jobs } = about;
  const [name, setName] = useState(jobs[0]?.name ?? '');
  const known = jobs.find((job) => job.name === name);
  const [data, setData] = useState(begin(known));
  const [options, setOptions] = useState({});
  const [error, setError] = useState(null);
  const choose = (next) => {
    // A payload that nobody has touched follows the name.
    if (data === begin(known)) setData(begin(jobs.find((job) => job.name === next)));
    setName(next);
  };
  const bound = (field) => ({ value: options[field] ?? '', autocomplete: 'off', spellcheck: false, onInput: (event) => setOptions({ ...options, [field]: event.target.value }) });
  const submit = async (event) => {
    event.preventDefault();
    try {
      const { id, status } = await call('POST', path('queues', queue.name, 'jobs'), undefined, { raw: body(name, data, options) });
      tell(status === 'created' ? `Added ${id}.` : `${id} stands already (${status}).`, { link: ['See it', to('queues', queue.name, 'jobs', id)] });
      close();
      done();
    } catch (refused) {
      setError(refused);
    }
  };
  return html`<${Dialog} title=${`Add a job to ${queue.name}`} close=${close} wide><form onSubmit=${submit}>
    <label class="field">Job name${about.other_names
      ? html`<input list="names" required value=${name} onInput=${(event) => choose(event.target.value)} /><datalist id="names">${jobs.map((job) => html`<option key=${job.name} value=${job.name} />`)}</datalist>`
      : html`<select value=${name} onChange=${(event) => choose(event.target.value)}>${jobs.map((job) => html`<option key=${job.name} value=${job.name}>${job.name}</option>`)}</select>`}</label>
    <${Editor} label="Payload (job.data)" value=${data} onInput=${setData} schema=${known?.schema} />
    <div class="fields">
      <label class="field">Own id<input ...${bound('id')} placeholder="a number of ours" /></label>
      <label class="field">Delay<input ...${bound('delay')} placeholder="5s, 10m" /></label>
      <label class="field">Priority<input type="number" ...${bound('priority')} placeholder=${String(known?.priority ?? 0)} /></label>
      <label class="field">Attempts<input type="number" min="1" ...${bound('attempts')} placeholder=${String(known?.attempts ?? '')} /></label>
    </div>
    ${error && html`<p class="notice is-bad" role="alert"><${Icon} name="alert" />${error.message} ${error.help}</p>`}
    <footer><button type="button" onClick=${close}>Leave it</button><button type="submit" class="primary" disabled=${Boolean(mistake(data)) || !name}>Add</button></footer>
  </form></${Dialog}>`;
}

// The payload goes out as it was typed: numbers that JavaScript cannot hold stay what they are.
function body(job, data, { id, delay, priority, attempts }) {
  const rest = { job, ...(id ? { id } : {}), ...(delay ? { delay } : {}), ...(priority ? { priority: Number(priority) } : {}), ...(attempts ? { attempts: Number(attempts) } : {}) };
  return `${JSON.stringify(rest).slice(0, -1)},"data":${data}}`;
}
