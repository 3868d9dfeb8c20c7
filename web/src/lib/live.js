// The stream of server-sent events: the overview when it changed, tasks, and what happens to jobs where a page asks for it.
import { get, path, search } from './api.js';
import { heard } from './clock.js';
import { store } from './store.js';

// state: connecting, live, away (the broker), lost (the web process)
export const live = store({ state: 'connecting', since: Date.now() });
export const overview = store(null);
export const tasks = store(new Map());

const PAUSES = [500, 1000, 2000, 5000, 10_000];
const SILENCE = 20_000;
const UNSEEN = 30_000;
const listeners = new Map();
let source;
let failures = 0;
let heardAt = 0;
let timer;
let resting;
let wanted = false;

function become(state) {
  if (live.get().state !== state) live.set({ state, since: Date.now() });
}

export function connect() {
  wanted = true;
  open();
}

function open() {
  close();
  source = new EventSource(search(path('stream'), { queue: [...listeners.keys()].join(',') }));
  source.addEventListener('open', seen);
  source.addEventListener('overview', ({ data }) => take(JSON.parse(data)));
  source.addEventListener('task', ({ data }) => takeTask(JSON.parse(data)));
  source.addEventListener('event', ({ data }) => tell(JSON.parse(data)));
  source.addEventListener('missed', ({ data }) => tell({ ...JSON.parse(data), event: 'missed' }));
  source.addEventListener('end', again);
  source.addEventListener('error', again);
}

function seen() {
  heardAt = Date.now();
  failures = 0;
}

function take(value) {
  seen();
  heard(value.problem ? null : value.at);
  overview.set(value);
  become(value.problem ? 'away' : 'live');
}

export function takeTask(task) {
  seen();
  tasks.set((now) => new Map(now).set(task.id, task));
}

function tell(event) {
  seen();
  const wanted = event.queue === null ? [...listeners.values()].flat() : [...(listeners.get(event.queue) ?? []), ...(listeners.get('*') ?? [])];
  for (const listener of wanted) listener(event);
}

// The browser's own way to connect again gives up after an answer such as 503.
function again() {
  close();
  become('lost');
  timer = setTimeout(open, PAUSES[Math.min(failures, PAUSES.length - 1)]);
  failures += 1;
}

// Nothing changed, or nothing arrives? A connection can be dead for long before a browser knows.
setInterval(async () => {
  if (!source || document.hidden || Date.now() - heardAt < SILENCE) return;
  try {
    take(await get(path('overview')));
  } catch (error) {
    if (error.status === 0) again();
  }
}, 5000);

export function stop() {
  wanted = false;
  close();
}

// A browser has six connections to a host, for all its windows: one that nobody looks at needs none.
document.addEventListener('visibilitychange', () => {
  clearTimeout(resting);
  if (document.hidden) resting = setTimeout(close, UNSEEN);
  else if (wanted && !source) open();
});

function close() {
  clearTimeout(timer);
  source?.close();
  source = undefined;
}

// What happens to the jobs of a queue ('*': of all), from now on. Returns what ends it.
export function follow(queue, listener) {
  listeners.set(queue, [...(listeners.get(queue) ?? []), listener]);
  connect();
  return () => {
    const rest = (listeners.get(queue) ?? []).filter((other) => other !== listener);
    if (rest.length) listeners.set(queue, rest);
    else listeners.delete(queue);
    connect();
  };
}
