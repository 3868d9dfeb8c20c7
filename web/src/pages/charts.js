// Throughput, latency, failures and the oldest wait, over minutes, hours and days.
import { path, search } from '../lib/api.js';
import { count, duration, rate } from '../lib/format.js';
import { html, useMemo } from '../lib/html.js';
import { overview } from '../lib/live.js';
import { useLoad } from '../lib/load.js';
import { replace } from '../lib/router.js';
import { highest, known, perSecond, total } from '../lib/series.js';
import { useStore } from '../lib/store.js';
import { Page } from '../ui/bits.js';
import { Chart } from '../ui/chart.js';
import { Empty, Loaded } from '../ui/message.js';

const SPANS = [[60, 'hour'], [180, '3 hours'], [1440, 'day'], [10_080, 'week'], [43_200, 'month'], [129_600, '90 days']];

export function Charts({ query }) {
  const { queue = '', minutes = '180' } = query;
  const names = useStore(overview)?.queues.map(({ name }) => name) ?? [];
  const loaded = useLoad(search(path('charts'), { queue, minutes }), { every: Number(minutes) <= 180 ? 10 : 60 });
  const choose = (change) => replace('charts', { queue, minutes, ...change });
  const actions = html`
    <label>Queue <select value=${queue} onChange=${(event) => choose({ queue: event.target.value })}><option value="">all queues</option>${names.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}</select></label>
    <div class="choice" role="group" aria-label="How far back">${SPANS.map(([n, word]) => html`<button key=${n} type="button" aria-pressed=${String(String(n) === minutes)} onClick=${() => choose({ minutes: n })}>${word}</button>`)}</div>`;
  return html`<${Page} title="Charts" actions=${actions} facts=${html`<span>${queue || 'All queues together'}</span>`}>
    <${Loaded} of=${loaded} what="the figures">${(answer) => html`<${Drawn} answer=${answer} />`}</${Loaded}>
  </${Page}>`;
}

function Drawn({ answer }) {
  const of = useMemo(() => known(answer), [answer]);
  const { at, step_ms: step } = of;
  const lines = useMemo(() => {
    const speed = (label, name, colour, more) => ({ label, colour, values: perSecond(of[name], of), ...more });
    const plain = (label, values, colour, more) => ({ label, values, colour, ...more });
    const latency = (name, colour) => [plain('p50', of[name].p50, colour), plain('p95', of[name].p95, 'delayed'), plain('p99', of[name].p99, 'warn')];
    return {
      speed: [speed('completed', 'completed', 'completed', { fill: true }), speed('came', 'enqueued', 'waiting')],
      failed: [plain('failed attempts', of.failed_attempts, 'warn'), plain('dead', of.dead, 'dead', { fill: true }), plain('cancelled', of.cancelled, 'cancelled', { dash: [4, 3] })],
      run: latency('run_ms', 'active'), wait: latency('wait_ms', 'waiting'), oldest: [plain('oldest', of.oldest_waiting_ms, 'delayed', { fill: true })],
    };
  }, [of]);
  if (!at.length || of.known_from_at === null) return html`<${Empty} title="No figures are kept of this time." />`;
  const every = `a point: ${duration(step)}`;
  return html`<div class="charts">
    <${Chart} title="Throughput" at=${at} series=${lines.speed} words=${rate} synced="time" summary=${`${count(total(of.completed))} completed, ${count(total(of.enqueued))} came; ${every}`} />
    <${Chart} title="Failures" at=${at} series=${lines.failed} words=${whole} synced="time" summary=${`${count(total(of.failed_attempts))} failed attempts, ${count(total(of.dead))} dead, ${count(total(of.cancelled))} cancelled`} />
    <${Chart} title="How long jobs run" at=${at} series=${lines.run} words=${duration} synced="time" summary=${`at most ${duration(highest(of.run_ms.p99))} for 99 of 100`} />
    <${Chart} title="How long jobs wait" at=${at} series=${lines.wait} words=${duration} synced="time" summary=${`at most ${duration(highest(of.wait_ms.p99))} for 99 of 100`} />
    <${Chart} title="The oldest that waits" at=${at} series=${lines.oldest} words=${duration} synced="time" summary=${`at most ${duration(highest(of.oldest_waiting_ms))}`} />
  </div>`;
}

const whole = (n) => (Number.isInteger(n) ? count(n) : '');
