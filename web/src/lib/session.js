// Who looks, and what they may.
import { get, path, post, prove, remove, search, signedOut } from './api.js';
import { connect, stop } from './live.js';
import { store } from './store.js';

const ROLES = ['viewer', 'operator', 'admin'];
const NOBODY = { user: null, role: null, ways: ['token'] };

// null: not known yet; a role of null: not signed in
export const session = store(null);

export const may = (role) => ROLES.indexOf(session.get()?.role) >= ROLES.indexOf(role);

export function whyNot(role) {
  const { user, role: own } = session.get() ?? NOBODY;
  return `Needs the role ${role}; ${user ?? 'you'} has the role ${own ?? 'of nobody'}.`;
}

export async function begin() {
  try {
    enter(await get(path('session')));
  } catch (error) {
    session.set({ ...NOBODY, error });
  }
}

// given: { token } or { user, password }
export async function signIn(given) {
  enter(await post(path('session'), given));
}

// Here, or with every session of this user on every device.
export async function signOut(everywhere) {
  await remove(everywhere ? search(path('session'), { everywhere: true }) : path('session'));
  stop();
  await begin();
}

function enter(value) {
  prove(value.csrf);
  session.set(value);
  signedOut.set(false);
  if (value.role) connect();
}

signedOut.follow((out) => {
  if (!out) return;
  stop();
  begin();
});
