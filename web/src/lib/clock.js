// The time of the broker's host as far as this browser can tell, once a second.
import { store, useStore } from './store.js';

let ahead = 0;
const seconds = store(Date.now());

// What the server said its time is: ages are then right although this clock may be wrong.
export function heard(at) {
  if (at) ahead = at - Date.now();
}

export const now = () => Date.now() + ahead;
setInterval(() => document.hidden || seconds.set(now()), 1000);
export const useNow = () => useStore(seconds);
