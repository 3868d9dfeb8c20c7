// Windows over the page. The browser's own <dialog> keeps the focus inside and gives it back.
import { html, useEffect, useRef, useState } from '../lib/html.js';
import { store, useStore } from '../lib/store.js';
import { Icon } from './icon.js';

export function Dialog({ title, children, close, wide }) {
  const self = useRef(null);
  useEffect(() => {
    const before = document.activeElement;
    self.current.showModal();
    self.current.querySelector('[autofocus], input, textarea, select')?.focus();
    return () => before?.isConnected && before.focus();
  }, []);
  const outside = (event) => event.target === self.current && close();
  return html`<dialog ref=${self} class=${wide ? 'wide' : ''} aria-labelledby="dialog-title" onClose=${close} onMouseDown=${outside}>
    <div class="dialog-body">
      <header><h2 id="dialog-title">${title}</h2>
        <button type="button" class="quiet square" aria-label="Close" onClick=${close}><${Icon} name="close" /></button></header>
      ${children}
    </div>
  </dialog>`;
}

const question = store(null);

// Ask before something is done: resolves to true or false. `type` is a word that has to be typed first.
export function confirm({ title, text, action, danger, type }) {
  return new Promise((resolve) => question.set({ title, text, action, danger, type, resolve }));
}

export function Questions() {
  const asked = useStore(question);
  const [typed, setTyped] = useState('');
  if (!asked) return null;
  const answer = (yes) => {
    question.set(null);
    setTyped('');
    asked.resolve(yes);
  };
  const submit = (event) => {
    event.preventDefault();
    if (!asked.type || typed === asked.type) answer(true);
  };
  return html`<${Dialog} title=${asked.title} close=${() => answer(false)}>
    <form onSubmit=${submit}>
      <p>${asked.text}</p>
      ${asked.type && html`<label class="field">Type <b>${asked.type}</b> to go on
        <input value=${typed} onInput=${(event) => setTyped(event.target.value)} autocomplete="off" spellcheck=${false} /></label>`}
      <footer>
        <button type="button" onClick=${() => answer(false)} autofocus=${!asked.type}>No, leave it</button>
        <button type="submit" class=${asked.danger ? 'danger' : 'primary'} disabled=${asked.type && typed !== asked.type}>${asked.action}</button>
      </footer>
    </form>
  </${Dialog}>`;
}
