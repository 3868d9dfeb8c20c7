// Many jobs on their way: how far, what stayed and why, and a button to stop it.
import { get, path, remove } from '../lib/api.js';
import { count, plural } from '../lib/format.js';
import { html, useEffect } from '../lib/html.js';
import { takeTask, tasks } from '../lib/live.js';
import { store, useStore } from '../lib/store.js';
import { Action } from './action.js';
import { Since } from './bits.js';
import { Icon } from './icon.js';
import { Bar } from './spark.js';

const OVER = ['done', 'stopped', 'failed'];
const dismissed = store(new Set());

// The answer of what began a task: shown at once, and followed from then on.
export function began({ task }) {
  takeTask(task);
}

export function Tasks({ queue, onEnd }) {
  const known = [...useStore(tasks).values()];
  const hidden = useStore(dismissed);
  const mine = known.filter((task) => task.queue === queue && !hidden.has(task.id));
  useEffect(() => {
    get(path('tasks')).then((all) => all.tasks.forEach(takeTask), () => {});
  }, []);
  useFollowing(mine.filter(({ state }) => !OVER.includes(state)));
  const ended = mine.filter(({ state }) => OVER.includes(state)).length;
  useEffect(() => {
    if (ended) onEnd?.();
  }, [ended]);
  if (!mine.length) return null;
  return html`<div class="tasks" aria-live="polite">${mine.map((task) => html`<${Task} key=${task.id} task=${task} />`)}</div>`;
}

// The stream tells of tasks; where it is not live they are asked for.
function useFollowing(running) {
  const ids = running.map(({ id }) => id).join();
  useEffect(() => {
    if (!ids) return undefined;
    const ask = () => ids.split(',').forEach((id) => get(path('tasks', id)).then((answer) => takeTask(answer.task), () => {}));
    const timer = setInterval(ask, 1000);
    return () => clearInterval(timer);
  }, [ids]);
}

function Task({ task }) {
  const over = OVER.includes(task.state);
  const bad = task.state === 'failed' || (task.died ?? 0) > 0 && task.state === 'stopped';
  const drop = () => dismissed.set((now) => new Set(now).add(task.id));
  return html`<div class=${`task ${bad ? 'is-bad' : ''}`}>
    <p><b>${task.do}</b> ${words(task)} ${!over && html`<small><${Since} at=${task.started_at} /></small>`}</p>
    ${task.total !== null && html`<${Bar} part=${task.done} whole=${task.total} kind=${bad ? 'dead' : 'accent'} label=${`${task.do}: ${task.done} of ${task.total}`} />`}
    ${task.kept_total > 0 && html`<details><summary>${plural(task.kept_total, 'job')} stayed</summary>
      <ul>${Object.entries(task.kept).map(([id, why]) => html`<li key=${id}><code>${id}</code> ${why}</li>`)}</ul></details>`}
    ${over ? html`<button type="button" class="quiet square" aria-label="Dismiss" onClick=${drop}><${Icon} name="close" /></button>`
      : html`<${Action} run=${async () => takeTask((await remove(path('tasks', task.id))).task)}>Stop</${Action}>`}
  </div>`;
}

function words({ state, total, done, moved, told, elsewhere, left, reason, died }) {
  if (state === 'looking') return `looks for the jobs: ${count(done)} so far`;
  const parts = [`${count(moved)} moved`, told && `${count(told)} told to stop`, elsewhere && `${count(elsewhere)} had moved on`, died && `${count(died)} died again`, left && `${count(left)} left`];
  const text = parts.filter(Boolean).join(', ');
  if (state === 'running' || state === 'stopping') return `${count(done)} of ${count(total)}: ${text}`;
  if (state === 'failed') return `failed: ${reason} ${text}`;
  return `${state}: ${text}${reason ? `. ${reason}` : ''}`;
}
