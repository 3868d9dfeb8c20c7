// What a person chose for this browser.
import { store } from './store.js';

const KEY = 'pipeline.settings';
const GIVEN = { theme: 'system', density: 'normal', refresh: 2, rows: 50, times: 'relative', group: true };

export const settings = store({ ...GIVEN, ...stored() });

function stored() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}

export function choose(change) {
  settings.set((now) => ({ ...now, ...change }));
  try {
    localStorage.setItem(KEY, JSON.stringify(settings.get()));
  } catch {
    // A browser that keeps nothing: the choice holds for this page.
  }
}

export function applySettings() {
  const apply = ({ theme, density }) => {
    document.documentElement.dataset.theme = theme;
    document.documentElement.dataset.density = density;
  };
  apply(settings.get());
  settings.follow(apply);
}
