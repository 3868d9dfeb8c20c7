// A new flow, with its data.
import { call, path } from '../lib/api.js';
import { html, useState } from '../lib/html.js';
import { mistake } from '../lib/json.js';
import { to } from '../lib/router.js';
import { Dialog } from '../ui/dialog.js';
import { Editor } from '../ui/editor.js';
import { Icon } from '../ui/icon.js';
import { tell } from '../ui/toast.js';
import { split } from './job-flow.js';

export function StartFlow({ flow, close, done }) {
  const [data, setData] = useState('{}');
  const [id, setId] = useState('');
  const [error, setError] = useState(null);
  const submit = async (event) => {
    event.preventDefault();
    try {
      const begun = await call('POST', path('flows', flow), undefined, { raw: `{${id ? `"id":${JSON.stringify(id)},` : ''}"data":${data}}` });
      tell(begun.status === 'created' ? `${begun.id} runs.` : `${begun.id} stands already.`, { link: ['See it', to('flows', ...split(begun.id))] });
      close();
      done();
    } catch (refused) {
      setError(refused);
    }
  };
  return html`<${Dialog} title=${`Start ${flow}`} close=${close} wide><form onSubmit=${submit}>
    <${Editor} label="Data: what its steps read as {data.…}" value=${data} onInput=${setData} />
    <label class="field">Own id<input value=${id} onInput=${(event) => setId(event.target.value)} placeholder="a number of ours" autocomplete="off" spellcheck=${false} /></label>
    ${error && html`<p class="notice is-bad" role="alert"><${Icon} name="alert" />${error.message} ${error.help}</p>`}
    <footer><button type="button" onClick=${close}>Leave it</button><button type="submit" class="primary" disabled=${Boolean(mistake(data))}>Start</button></footer>
  </form></${Dialog}>`;
}
