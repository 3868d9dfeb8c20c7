// Dead jobs back to work, with care: a few first, the rest at a rate, and a halt when they die again.
import { path, post } from '../lib/api.js';
import { plural } from '../lib/format.js';
import { html, useState } from '../lib/html.js';
import { Dialog } from '../ui/dialog.js';
import { Icon } from '../ui/icon.js';
import { began } from '../ui/tasks.js';

export function Redrive({ queue, group, close }) {
  const [given, set] = useState({ probe: '5', rate: '50', stop: '20', job: '', older: '' });
  const [error, setError] = useState(null);
  const bound = (name) => ({ value: given[name], onInput: (event) => set({ ...given, [name]: event.target.value }) });
  const submit = async (event) => {
    event.preventDefault();
    try {
      began(await post(path('queues', queue, 'redrive'), body(group, given)));
      close();
    } catch (refused) {
      setError(refused);
    }
  };
  const what = group.id ? `${plural(group.count, 'job')} that died of ${group.type}` : `all ${plural(group.count, 'dead job')}`;
  return html`<${Dialog} title=${`Redrive ${queue}`} close=${close}><form onSubmit=${submit}>
    <p>Puts ${what} back, with all their attempts. First a few; when these went well the rest follows.</p>
    <div class="fields">
      <label class="field">Send first<input type="number" min="0" max="1000" ...${bound('probe')} /><small>and wait until they have ended; 0: do not try first</small></label>
      <label class="field">Then, a second<input type="number" min="1" max="100000" placeholder="as fast as it goes" ...${bound('rate')} /><small>nothing: as fast as it goes</small></label>
      <label class="field">Stop when so many in 100 die again<input type="number" min="0" max="100" required ...${bound('stop')} /></label>
      <label class="field">Only this job name<input autocomplete="off" ...${bound('job')} /></label>
      <label class="field">Only those that died before<input placeholder="2h ago: 2h" autocomplete="off" ...${bound('older')} /></label>
    </div>
    ${error && html`<p class="notice is-bad" role="alert"><${Icon} name="alert" />${error.message} ${error.help}</p>`}
    <footer><button type="button" onClick=${close}>Leave it</button><button type="submit" class="primary">Redrive</button></footer>
  </form></${Dialog}>`;
}

function body(group, { probe, rate, stop, job, older }) {
  const filters = { ...(group.id ? { group: group.id } : {}), ...(job ? { job } : {}), ...(older ? { until: older } : {}) };
  return {
    ...(Object.keys(filters).length ? { filters } : {}),
    ...(Number(probe) ? { probe: Number(probe) } : {}), ...(rate ? { rate: Number(rate) } : {}), stop_at: Number(stop) / 100,
  };
}
