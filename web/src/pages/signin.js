// Who are you: a token, or a name and its password.
import { html, useState } from '../lib/html.js';
import { signIn } from '../lib/session.js';
import { Icon } from '../ui/icon.js';
import { Brand } from '../ui/frame.js';

const WAYS = { token: 'Token', password: 'Name and password' };

export function SignIn({ ways, project }) {
  const offered = Object.keys(WAYS).filter((way) => ways.includes(way));
  const [way, setWay] = useState(offered.includes('password') ? 'password' : 'token');
  return html`<main class="signin">
    <div class="signin-card">
      <${Brand} project=${project} />
      <h1>Sign in</h1>
      ${offered.length > 1 && html`<div class="choice" role="group" aria-label="How">${offered.map((each) => html`
        <button key=${each} type="button" aria-pressed=${String(each === way)} onClick=${() => setWay(each)}>${WAYS[each]}</button>`)}</div>`}
      ${offered.length ? html`<${Form} key=${way} way=${way} />` : html`<${OtherWay} />`}
    </div>
  </main>`;
}

function Form({ way }) {
  const [given, set] = useState({});
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const field = (name) => ({ value: given[name] ?? '', required: true, onInput: (event) => set({ ...given, [name]: event.target.value }) });
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await signIn(given);
    } catch (refused) {
      setError(refused);
      setBusy(false);
    }
  };
  return html`<form onSubmit=${submit}>
    ${way === 'token'
      ? html`<label class="field">Token<input type="password" autocomplete="current-password" spellcheck=${false} ...${field('token')} /></label>
        <p class="hint">It was printed once, when <code>pipeline run</code> started for the first time.</p>`
      : html`<label class="field">Name<input autocomplete="username" autocapitalize="none" spellcheck=${false} ...${field('user')} /></label>
        <label class="field">Password<input type="password" autocomplete="current-password" ...${field('password')} /></label>`}
    ${error && html`<p class="notice is-bad" role="alert"><${Icon} name="alert" />${error.message} ${error.help}</p>`}
    <button type="submit" class="primary" disabled=${busy}>Sign in</button>
  </form>`;
}

function OtherWay() {
  return html`<p>Nobody can sign in here by hand. Come through the proxy that says who you are, or send a token as <code>Authorization: Bearer</code>.</p>`;
}
