// What stands around every page: where one can go, whether it is live, who looks, and what all should know.
import { count, short } from '../lib/format.js';
import { html, useEffect, useState } from '../lib/html.js';
import { opened } from '../lib/keys.js';
import { live, overview } from '../lib/live.js';
import { route, to } from '../lib/router.js';
import { may, session, signOut } from '../lib/session.js';
import { useStore } from '../lib/store.js';
import { isDark, onTheme, toggleTheme } from '../lib/theme.js';
import { Since } from './bits.js';
import { kindOf } from './health.js';
import { Icon } from './icon.js';

const PLACES = [
  ['', 'Overview', 'overview'], ['dead', 'Dead letters', 'dead'], ['schedules', 'Schedules', 'schedules'], ['flows', 'Flows', 'flows'],
  ['workers', 'Workers', 'workers'], ['charts', 'Charts', 'charts'], ['config', 'Config', 'config'], ['alerts', 'Alerts', 'alert'],
  ['audit', 'Audit', 'audit'],
];

export function Frame({ at, children }) {
  const [menu, setMenu] = useState(false);
  const where = useStore(route);
  useEffect(() => setMenu(false), [where]);
  return html`
    <a class="skip" href="#main" onClick=${toMain}>To the content</a>
    <div class=${`frame ${menu ? 'menu-open' : ''}`}>
      <header class="rail" aria-label="The dashboard">
        <div class="rail-top">
          <a class="home" href=${to()}><${Brand} project=${session.get().project} /></a>
          <button type="button" class="quiet square menu-button" aria-expanded=${String(menu)} aria-label="Menu" onClick=${() => setMenu(!menu)}>
            <${Icon} name=${menu ? 'close' : 'menu'} /></button>
        </div>
        <div class="rail-rest">
          <${Jumper} /><${Places} at=${at} /><${RailQueues} at=${at === 'queues' ? where.parts[1] : null} /><${Foot} />
        </div>
      </header>
      <main id="main" tabindex="-1"><${Banners} />${children}</main>
    </div>`;
}

function toMain(event) {
  event.preventDefault();
  document.getElementById('main').focus();
}

export function Brand({ project }) {
  return html`<span class="brand"><svg viewBox="0 0 32 32" aria-hidden="true">
    <rect class="brand-back" width="32" height="32" rx="8" /><path d="M5 11h7a4 4 0 0 1 4 4v2a4 4 0 0 0 4 4h7" /><circle cx="5" cy="21" r="2.4" /><circle cx="11" cy="21" r="2.4" /></svg>
    <span><b>${project ?? 'pipeline'}</b><small>${project ? 'pipeline' : 'job queues'}</small></span></span>`;
}

function Jumper() {
  return html`<button type="button" class="jumper" onClick=${() => opened.set('jump')}><${Icon} name="search" />Go to … <kbd>g q</kbd></button>`;
}

function Places({ at }) {
  const seen = useStore(overview);
  const marks = {
    dead: seen?.totals.dead ? html`<span class="mark is-dead">${count(seen.totals.dead)}</span>` : null,
    schedules: seen?.schedules.total ? html`<span class="mark">${seen.schedules.total}</span>` : null,
    flows: seen?.flows.open ? html`<span class="mark">${count(seen.flows.open)}</span>` : null,
    workers: seen ? html`<span class="mark">${seen.supervisors.workers}</span>` : null,
    config: seen?.stale ? html`<span class="mark is-warn">stale</span>` : null,
  };
  const places = PLACES.filter(([place]) => place !== 'audit' || may('admin'));
  return html`<nav class="places" aria-label="Pages">${places.map(([place, name, icon]) => html`
    <a key=${place} href=${to(...[place].filter(Boolean))} aria-current=${place === at ? 'page' : null}><${Icon} name=${icon} />${name}${marks[place]}</a>`)}</nav>`;
}

const MOST_QUEUES = 40;

function RailQueues({ at }) {
  const queues = useStore(overview)?.queues ?? [];
  if (!queues.length) return null;
  return html`<nav class="places" aria-label="Queues"><h2>Queues</h2>${queues.slice(0, MOST_QUEUES).map((queue) => html`
    <a key=${queue.name} class=${`rail-queue is-${kindOf(queue)}`} href=${to('queues', queue.name)} aria-current=${queue.name === at ? 'page' : null}>
      <span class="dot" aria-hidden="true"></span><span>${queue.name}</span>${queue.waiting > 0 && html`<span class="mark" title=${`${count(queue.waiting)} waiting`}>${short(queue.waiting)}</span>`}</a>`)}
    ${queues.length > MOST_QUEUES && html`<a class="rail-queue" href=${to()}>and ${queues.length - MOST_QUEUES} more</a>`}</nav>`;
}

const WORDS = { connecting: 'connecting', live: 'live', away: 'broker away', lost: 'not live' };

function Foot() {
  const { state, since } = useStore(live);
  const who = useStore(session);
  const seen = useStore(overview);
  const [dark, setDark] = useState(isDark());
  useEffect(() => onTheme(() => setDark(isDark())), []);
  return html`<div class="foot">
    <p class=${`live is-${state}`} role="status"><span class="dot" aria-hidden="true"></span>${WORDS[state]}
      ${state !== 'live' && state !== 'connecting' && html` for <${Since} at=${since} />`}
      ${' '}${seen && html`<span class="generation" title="The generation of the config that runs">gen ${seen.generation ?? '–'}</span>`}</p>
    <p class="who"><span><b>${who.user ?? 'anybody'}</b> ${who.role}</span></p>
    <p class="foot-buttons">
      <button type="button" class="quiet square" onClick=${toggleTheme} aria-label=${dark ? 'Light colours' : 'Dark colours'}><${Icon} name=${dark ? 'sun' : 'moon'} /></button>
      <a class="button quiet square" href=${to('settings')} aria-label="Settings"><${Icon} name="settings" /></a>
      <button type="button" class="quiet square" onClick=${() => opened.set('help')} aria-label="Keys"><b aria-hidden="true">?</b></button>
      ${who.auth !== 'none' && html`<button type="button" class="quiet square" onClick=${() => signOut()} aria-label="Sign out"><${Icon} name="out" /></button>`}
    </p>
  </div>`;
}

function Banners() {
  const { state, since } = useStore(live);
  const seen = useStore(overview);
  return html`<div class="banners" aria-live="polite">
    ${state === 'away' && html`<p class="notice is-bad"><${Icon} name="alert" /><span><b>The broker is away.</b> ${seen?.problem} What you see is the last that
      was known. Jobs that were accepted are safe; workers and this page find back by themselves.</span></p>`}
    ${state === 'lost' && html`<p class="notice is-warn"><${Icon} name="alert" /><span><b>Not live</b> for <${Since} at=${since} />: the web process does not answer.
      Jobs run on without it. This page tries again by itself.</span></p>`}
    ${seen?.stale && html`<p class="notice is-warn"><${Icon} name="config" /><span><b>STALE.</b> What runs is generation ${seen.generation}, not the file: ${seen.stale}
      <a href=${to('config', { view: 'changes' })}>See the config</a></span></p>`}
  </div>`;
}
