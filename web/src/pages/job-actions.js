// What can be done with one job, in the state it is in.
import { path, post, remove, search } from '../lib/api.js';
import { html, useState } from '../lib/html.js';
import { to } from '../lib/router.js';
import { Action } from '../ui/action.js';
import { tell } from '../ui/toast.js';
import { EditJob } from './job-edit.js';
import { Opener } from './queue-actions.js';

export function JobActions({ of, done }) {
  const [editing, setEditing] = useState(false);
  const { job, actions } = of;
  const at = (...more) => path('queues', job.queue, 'jobs', job.id, ...more);
  const unless = (action) => (actions.includes(action) ? null : `Not while it is ${job.state}.`);
  const move = (action, says) => async () => says(await post(at(action), { if_state: job.state }));
  const drop = async () => {
    await remove(search(at(), { if_state: job.state }));
    location.hash = to('queues', job.queue, { state: job.state });
    return `${job.id} is removed.`;
  };
  const runs = job.state === 'active';
  return html`
    ${actions.includes('retry') && html`<${Action} className="primary" run=${move('retry', () => 'It waits again.')} done=${done}>Retry</${Action}>`}
    ${actions.includes('promote') && html`<${Action} className="primary" run=${move('promote', () => 'It is due now.')} done=${done}>Run now</${Action}>`}
    ${actions.includes('cancel') && html`<${Action} run=${move('cancel', cancelled)} done=${done} ask=${cancelQuestion(job)}>${runs ? 'Cancel it, running' : 'Cancel'}</${Action}>`}
    <${Opener} role="operator" open=${() => setEditing(true)} unless=${unless('edit')}>Edit</${Opener}>
    <${Action} unless=${unless('duplicate')} run=${() => duplicate(at('duplicate'), job)}>Duplicate</${Action}>
    <${Action} className="danger" unless=${unless('remove')} run=${drop} ask=${removeQuestion(job)}>Remove</${Action}>
    ${editing && html`<${EditJob} of=${of} close=${() => setEditing(false)} done=${done} />`}`;
}

const cancelled = ({ stopping }) => (stopping ? 'Its worker is told; it does not run again.' : 'It is cancelled.');

const cancelQuestion = ({ id, state }) => ({
  title: `Cancel ${id}?`, action: 'Cancel it', danger: true,
  text: state === 'active' ? 'It runs. Its handler is told to stop: a coroutine is cancelled, plain code hears of it at its next progress or log.' : 'It will not run. It is kept as cancelled, and can be retried.',
});

const removeQuestion = ({ id }) => ({ title: `Remove ${id}?`, text: 'It is deleted, with its result, errors and logs.', action: 'Remove it', danger: true });

async function duplicate(address, job) {
  const { id } = await post(address);
  tell(`Another like it: ${id}.`, { link: ['See it', to('queues', job.queue, 'jobs', id)] });
}
