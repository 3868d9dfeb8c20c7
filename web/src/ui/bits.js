// Small things that every page uses.
import { now, useNow } from '../lib/clock.js';
import { absolute, count, duration, relative, short } from '../lib/format.js';
import { html, useEffect, useRef } from '../lib/html.js';
import { settings } from '../lib/settings.js';
import { useStore } from '../lib/store.js';
import { Icon } from './icon.js';

export function State({ state, plain }) {
  return html`<span class=${`state is-${state} ${plain ? 'plain' : ''}`}><${Icon} name=${state} />${state}</span>`;
}

// A time as chosen in the settings, the other form as its title.
export function Time({ at, millis }) {
  const wish = useStore(settings).times;
  const present = useNow();
  if (!at) return html`<span class="none">–</span>`;
  const [shown, other] = [relative(at, present), absolute(at, millis)];
  const [text, title] = wish === 'relative' ? [shown, other] : [other, shown];
  return html`<time datetime=${new Date(at).toISOString()} title=${title}>${text}</time>`;
}

// How long something that began then has lasted.
export function Since({ at }) {
  useNow();
  return at ? html`<span title=${absolute(at)}>${duration(Math.max(0, now() - at))}</span>` : html`<span class="none">–</span>`;
}

export function Count({ n, kind, title }) {
  const text = short(n);
  return html`<span class=${`count ${n ? `is-${kind ?? 'some'}` : 'zero'}`} title=${title ?? (text === count(n) ? null : count(n))}>${text}</span>`;
}

export function Facts({ children, of }) {
  const shown = of.filter(([, value]) => value || value === 0);
  return html`<dl class="facts">${shown.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}${children}</dl>`;
}

export function Panel({ title, side, children, className = '', level = 2, id }) {
  return html`<section class=${`panel ${className}`} aria-label=${typeof title === 'string' ? title : null} id=${id}>
    ${title && html`<header class="panel-head"><${`h${level}`}>${title}</>${side && html`<div class="side">${side}</div>`}</header>`}
    ${children}
  </section>`;
}

export function Page({ title, above, facts, actions, children }) {
  return html`
    <header class="page-head">
      <div class="titles">
        ${above && html`<p class="above">${above}</p>`}
        <h1 tabindex="-1">${title}</h1>
        ${facts && html`<div class="head-facts">${facts}</div>`}
      </div>
      ${actions && html`<div class="actions">${actions}</div>`}
    </header>
    ${children}`;
}

export function Tabs({ of, chosen, label }) {
  const row = useRef(null);
  // On a phone the row is longer than the window.
  useEffect(() => {
    const tab = row.current.querySelector('[aria-current]');
    if (tab) row.current.scrollLeft = tab.offsetLeft - row.current.offsetLeft - 40;
  }, [chosen]);
  return html`<nav class="tabs" ref=${row} aria-label=${label}>${of.map(([key, text, href, n]) => html`
    <a key=${key} href=${href} class="tab" aria-current=${key === chosen ? 'page' : null}>
      ${text}${n !== undefined && html`<${Count} n=${n} kind=${key} />`}</a>`)}</nav>`;
}
