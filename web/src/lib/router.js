// The page is in the part of the address behind `#`: so the files can lie under any prefix of any proxy.
import { store } from './store.js';

export function parse(hash) {
  const [path, search] = hash.replace(/^#/, '').split('?');
  const parts = path.split('/').filter(Boolean).map(decode);
  return { parts, query: Object.fromEntries(new URLSearchParams(search ?? '')) };
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

// to('queues', 'emails', { state: 'dead' }) is '#/queues/emails?state=dead'
export function to(...parts) {
  const query = typeof parts.at(-1) === 'object' ? parts.pop() : {};
  const set = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '');
  const search = new URLSearchParams(set).toString();
  return `#/${parts.map(encodeURIComponent).join('/')}${search && `?${search}`}`;
}

export const route = store({ parts: [], query: {} });

export function go(...parts) {
  location.hash = to(...parts);
}

// Another state of the same page: the Back button leaves the page and does not walk through its filters.
export function replace(...parts) {
  history.replaceState(null, '', to(...parts));
  route.set(parse(location.hash));
}

export function startRouter() {
  route.set(parse(location.hash));
  addEventListener('hashchange', () => route.set(parse(location.hash)));
}
