// What keys do. On a page: j and k go through rows ([data-row]), x selects, Enter opens; / goes to [data-search].
import { go } from './router.js';
import { store } from './store.js';

export const PLACES = [
  ['o', 'overview', []], ['d', 'dead letters', ['dead']], ['s', 'schedules', ['schedules']], ['f', 'flows', ['flows']],
  ['w', 'workers', ['workers']], ['h', 'charts', ['charts']], ['c', 'config', ['config']], ['a', 'audit', ['audit']],
];
export const KEYS = [
  ['/', 'search on this page'], ['j, k', 'next row, row before'], ['x', 'select the row'], ['Enter', 'open the row'],
  ['g q', 'go to a queue'], ...PLACES.map(([key, name]) => [`g ${key}`, `go to ${name}`]),
  ['r', 'look again now'], ['t', 'light or dark'], ['?', 'these keys'], ['Esc', 'close; leave the field'],
];

// Which of the two windows of the keys is open: 'help', 'jump' or null.
export const opened = store(null);
export const refreshed = store(0);

let gone = 0;

export function startKeys(toggleTheme) {
  addEventListener('keydown', (event) => {
    if (event.ctrlKey && event.key === 'k') return act(event, () => opened.set('jump'));
    if (event.ctrlKey || event.metaKey || event.altKey) return undefined;
    if (event.target.matches('input, textarea, select, [contenteditable]')) {
      return event.key === 'Escape' ? event.target.blur() : undefined;
    }
    if (document.querySelector('dialog[open]')) return undefined;
    return press(event, toggleTheme);
  });
}

function press(event, toggleTheme) {
  const after = Date.now() - gone < 1500;
  gone = 0;
  if (after) return goTo(event);
  const simple = {
    '/': () => document.querySelector('[data-search]')?.focus(),
    '?': () => opened.set('help'),
    g: () => (gone = Date.now()),
    j: () => step(1),
    k: () => step(-1),
    x: () => row()?.querySelector('input[type=checkbox]')?.click(),
    r: () => refreshed.set((n) => n + 1),
    t: toggleTheme,
  }[event.key];
  if (simple) act(event, simple);
  return undefined;
}

function goTo(event) {
  if (event.key === 'q') return act(event, () => opened.set('jump'));
  const place = PLACES.find(([key]) => key === event.key);
  return place && act(event, () => go(...place[2]));
}

function act(event, action) {
  event.preventDefault();
  action();
}

const row = () => document.activeElement?.closest('[data-row]');

function step(by) {
  const rows = [...document.querySelectorAll('[data-row]')];
  const at = rows.indexOf(row());
  const next = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.max(0, Math.min(rows.length - 1, at + by))];
  const target = next?.querySelector('a[href]') ?? next;
  target?.focus();
  next?.scrollIntoView({ block: 'nearest' });
}
