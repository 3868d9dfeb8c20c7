// The dashboard: who looks, which page, and what stands around it.
import { html, render, useEffect, useState } from './lib/html.js';
import { startKeys } from './lib/keys.js';
import { route, startRouter } from './lib/router.js';
import { begin, session } from './lib/session.js';
import { applySettings } from './lib/settings.js';
import { useStore } from './lib/store.js';
import { toggleTheme } from './lib/theme.js';
import { pageOf } from './pages/index.js';
import { SignIn } from './pages/signin.js';
import { Questions } from './ui/dialog.js';
import { Frame } from './ui/frame.js';
import { KeyWindows } from './ui/keywindows.js';
import { Failed } from './ui/message.js';
import { Toasts } from './ui/toast.js';

function App() {
  const who = useStore(session);
  const { parts, query } = useStore(route);
  if (!who) return html`<p class="before">Connecting …</p>`;
  if (!who.role && who.error) return html`<main class="alone"><${Failed} error=${who.error} retry=${begin} /></main>`;
  if (!who.role) return html`<${SignIn} ways=${who.ways} project=${who.project} />`;
  const { Page, props, title, key } = pageOf(parts, query);
  return html`
    <${Frame} at=${parts[0] ?? ''}>
      <${Titled} title=${title} place=${key}><${Page} key=${key} query=${query} ...${props} /></${Titled}>
    </${Frame}>
    <${KeyWindows} /><${Questions} /><${Toasts} />`;
}

// A new page is told as a browser tells a new document: by its title, and by where the focus is.
function Titled({ title, place, children }) {
  const [first, set] = useState(place);
  useEffect(() => {
    document.title = `${title} · ${session.get().project ?? 'pipeline'}`;
  }, [title]);
  useEffect(() => {
    if (place === first) return;
    set(null);
    scrollTo(0, 0);
    document.querySelector('h1')?.focus();
  }, [place]);
  return children;
}

applySettings();
startRouter();
startKeys(toggleTheme);
begin();
render(html`<${App} />`, document.getElementById('app'));
