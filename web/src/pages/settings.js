// How the dashboard looks in this browser.
import { html } from '../lib/html.js';
import { session, signOut } from '../lib/session.js';
import { choose, settings } from '../lib/settings.js';
import { useStore } from '../lib/store.js';
import { Facts, Page, Panel } from '../ui/bits.js';

const CHOICES = [
  ['theme', 'Colours', [['system', 'as the system'], ['light', 'light'], ['dark', 'dark']]],
  ['density', 'Density', [['normal', 'normal'], ['dense', 'dense'], ['roomy', 'roomy']]],
  ['refresh', 'Lists look again', [[1, 'every second'], [2, 'every 2 s'], [10, 'every 10 s'], [0, 'never']]],
  ['rows', 'Jobs on a page', [[20, '20'], [50, '50'], [100, '100'], [200, '200']]],
  ['times', 'Times', [['relative', '5 min ago'], ['absolute', '2026-11-30 22:35:07']]],
];

export function Settings() {
  const now = useStore(settings);
  const { user, role, auth } = useStore(session);
  return html`<${Page} title="Settings" facts=${html`<span>For this browser only.</span>`}>
    <${Panel} title="How it looks">${CHOICES.map(([name, label, of]) => html`<${Choice} key=${name} name=${name} label=${label} of=${of} chosen=${now[name]} />`)}</${Panel}>
    <${Panel} title="Who you are"><${Facts} of=${[['Name', user ?? 'anybody'], ['Role', role], ['Signed in by', auth]]} />
      ${auth !== 'none' && html`<p class="actions"><button type="button" onClick=${() => signOut()}>Sign out</button><button type="button" onClick=${() => signOut(true)}>Sign out on every device</button></p>`}</${Panel}>
    <p class="hint">Made with Preact, htm and uPlot: <a href="licenses.txt">their licences</a>.</p>
  </${Page}>`;
}

function Choice({ name, label, of, chosen }) {
  return html`<fieldset class="setting"><legend>${label}</legend><div class="choice">${of.map(([value, text]) => html`
    <button key=${value} type="button" aria-pressed=${String(value === chosen)} onClick=${() => choose({ [name]: value })}>${text}</button>`)}</div></fieldset>`;
}
