// What can be done to a whole queue.
import { path, post } from '../lib/api.js';
import { absolute, count, parseDuration } from '../lib/format.js';
import { html, useState } from '../lib/html.js';
import { may, whyNot } from '../lib/session.js';
import { Action } from '../ui/action.js';
import { Dialog } from '../ui/dialog.js';
import { Icon } from '../ui/icon.js';
import { began } from '../ui/tasks.js';
import { complain, tell } from '../ui/toast.js';
import { AddJob } from './add-job.js';

export function QueueActions({ about, done }) {
  const { queue } = about;
  const [window, open] = useState(null);
  const [more, setMore] = useState(false);
  const name = queue.name;
  const close = () => open(null);
  return html`
    <${Opener} role="operator" className="primary" open=${() => open('add')} unless=${queue.in_file ? null : 'The queue is not in the file: it takes no jobs.'}><${Icon} name="plus" />Add a job</${Opener}>
    ${queue.paused
      ? html`<${Action} run=${() => resume(name)} done=${done}><${Icon} name="active" />Resume</${Action}>`
      : html`<${Opener} role="operator" open=${() => open('pause')}><${Icon} name="paused" />Pause</${Opener}>`}
    <button type="button" aria-expanded=${String(more)} onClick=${() => setMore(!more)}>More<${Icon} name="down" /></button>
    ${more && html`<div class="more">
      <${Opener} role="admin" open=${() => open('scale')} unless=${about.settings ? null : 'It is not in the file: it has no workers.'}>Scale …</${Opener}>
      <${Action} role="admin" unless=${queue.overrides.length ? null : 'Nothing was changed by hand.'} run=${() => reset(name)} done=${done}>Back to the file</${Action}>
      <${Action} role="admin" className="danger" ask=${purgeQuestion(queue)} run=${async () => began(await post(path('queues', name, 'purge')))} done=${done}>Purge …</${Action}>
    </div>`}
    ${window === 'add' && html`<${AddJob} about=${about} close=${close} done=${done} />`}
    ${window === 'pause' && html`<${Pause} name=${name} close=${close} done=${done} />`}
    ${window === 'scale' && html`<${Scale} about=${about} close=${close} done=${done} />`}`;
}

export function Opener({ role, open, unless, children, className = '' }) {
  const reason = may(role) ? unless : whyNot(role);
  return html`<button type="button" class=${className} aria-disabled=${reason ? 'true' : null} title=${reason} onClick=${() => reason || open()}>${children}</button>`;
}

async function resume(name) {
  const { changed } = await post(path('queues', name, 'resume'));
  return changed ? `${name} goes on.` : `${name} was not paused.`;
}

async function reset(name) {
  const { removed } = await post(path('queues', name, 'reset'));
  return `${name} is as the file says again: ${removed.map(({ field }) => field).join(', ') || 'it was already'}.`;
}

const purgeQuestion = ({ name, waiting }) => ({
  title: `Purge ${name}?`,
  text: `Deletes every job that waits: about ${count(waiting)}. They do not run, and they do not come back. Delayed, running and ended jobs stay.`,
  action: 'Delete them', danger: true, type: name,
});

function Pause({ name, close, done }) {
  const [span, setSpan] = useState('');
  const wrong = span && parseDuration(span) === undefined;
  const submit = (event) => send(event, async () => {
    const { until_at: until } = await post(path('queues', name, 'pause'), span ? { for: span } : {});
    return `${name} is paused${until ? ` until ${absolute(until)}` : ''}. What runs goes on.`;
  }, close, done);
  return html`<${Dialog} title=${`Pause ${name}`} close=${close}><form onSubmit=${submit}>
    <p>Nothing starts any more, on any host. What runs goes on; jobs are still taken in.</p>
    <label class="field">For how long (nothing: until somebody resumes it)<input value=${span} placeholder="1h, 30m" onInput=${(event) => setSpan(event.target.value)} aria-invalid=${wrong ? 'true' : null} /></label>
    ${wrong && html`<p class="says is-bad">A duration has a unit: 30m, 1h, 1h30m.</p>`}
    <footer><button type="button" onClick=${close}>Leave it</button><button type="submit" class="primary" disabled=${wrong}>Pause</button></footer></form></${Dialog}>`;
}

function Scale({ about, close, done }) {
  const { queue, settings } = about;
  const now = queue.overrides.find(({ field }) => field === 'processes')?.value ?? settings.processes;
  const [processes, setProcesses] = useState(String(now));
  const [span, setSpan] = useState('1h');
  const submit = (event) => send(event, async () => {
    const answer = await post(path('queues', queue.name, 'scale'), { processes: Number(processes), ...(span ? { for: span } : {}) });
    return `${answer.pool}: ${answer.processes} processes on each host, instead of ${answer.was}.`;
  }, close, done);
  return html`<${Dialog} title=${`Scale ${queue.name}`} close=${close}><form onSubmit=${submit}>
    <p>The file says ${settings.processes} on each host, each with ${settings.concurrency} jobs at once. What is set here beats the file until it ends, or until the file changes.</p>
    <label class="field">Worker processes on each host<input type="number" min="1" max="256" required value=${processes} onInput=${(event) => setProcesses(event.target.value)} /></label>
    <label class="field">For how long (nothing: until somebody resets it)<input value=${span} placeholder="1h" onInput=${(event) => setSpan(event.target.value)} /></label>
    <footer><button type="button" onClick=${close}>Leave it</button><button type="submit" class="primary">Scale</button></footer></form></${Dialog}>`;
}

async function send(event, run, close, done) {
  event.preventDefault();
  try {
    tell(await run());
    close();
    done?.();
  } catch (error) {
    complain(error);
  }
}
