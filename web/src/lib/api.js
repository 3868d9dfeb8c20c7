// The JSON API, by addresses relative to the page.
import { store } from './store.js';

export class Refusal extends Error {
  constructor(status, { code, message, help }) {
    super(message);
    Object.assign(this, { status, code, help: help ?? '' });
  }
}

// Set by the first answer that says "not signed in".
export const signedOut = store(false);

// What proves that a request comes from this page; `GET session` tells it.
let proof = null;
export const prove = (token) => (proof = token);

const SILENT = {
  code: 'unreachable',
  message: 'The web process does not answer.',
  help: 'Is `pipeline run` still running there? This page tries again by itself.',
};

export const path = (...parts) => `api/v1/${parts.map(encodeURIComponent).join('/')}`;

export function search(address, query) {
  const set = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '');
  return set.length ? `${address}?${new URLSearchParams(set)}` : address;
}

export async function call(method, address, body, { signal, raw, headers } = {}) {
  const answer = await send(method, address, raw ?? (body === undefined ? undefined : JSON.stringify(body)), signal, headers);
  const text = await answer.text();
  const value = text && read(text, answer.status);
  if (answer.ok) return value;
  if (answer.status === 401 && address !== path('session')) signedOut.set(true);
  throw new Refusal(answer.status, value?.error ?? { code: 'unknown', message: `It answered ${answer.status}.`, help: '' });
}

async function send(method, address, body, signal, more) {
  const headers = { accept: 'application/json', ...more };
  const bodied = method !== 'GET' && method !== 'DELETE';
  if (bodied) headers['content-type'] = 'application/json';
  if (method !== 'GET' && proof) headers['x-csrf-token'] = proof;
  try {
    return await fetch(address, { method, headers, body: bodied ? body ?? '{}' : undefined, signal, credentials: 'same-origin' });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Refusal(0, SILENT);
  }
}

function read(text, status) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(status, { code: 'not_json', message: `It answered ${status}, and no JSON.`, help: 'Is there a proxy in between that answers by itself?' });
  }
}

export const get = (address, options) => call('GET', address, undefined, options);
export const post = (address, body, options) => call('POST', address, body, options);
export const patch = (address, body, options) => call('PATCH', address, body, options);
export const remove = (address, options) => call('DELETE', address, undefined, options);
