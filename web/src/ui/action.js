// A button that does something to jobs: it knows who may, asks where it should, and tells how it went.
import { html, useState } from '../lib/html.js';
import { may, session, whyNot } from '../lib/session.js';
import { useStore } from '../lib/store.js';
import { confirm } from './dialog.js';
import { complain, tell } from './toast.js';

// run: what to do, async; its text (if any) is told. ask: what `confirm` takes. unless: why it cannot be done now.
export function Action({ role = 'operator', run, ask, children, unless, done, className = '' }) {
  useStore(session);
  const [busy, set] = useState(false);
  const reason = may(role) ? unless : whyNot(role);
  const click = async () => {
    if (reason || busy || (ask && !(await confirm(ask)))) return;
    set(true);
    try {
      const told = await run();
      if (told) tell(told);
      done?.();
    } catch (error) {
      complain(error);
    } finally {
      set(false);
    }
  };
  return html`<button type="button" class=${className} onClick=${click} aria-disabled=${reason || busy ? 'true' : null}
    title=${reason ?? null} aria-busy=${busy ? 'true' : null}>${children}</button>`;
}
