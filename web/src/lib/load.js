// What a page asks for, again and again while somebody looks.
import { get } from './api.js';
import { useCallback, useEffect, useRef, useState } from './html.js';
import { refreshed } from './keys.js';
import { settings } from './settings.js';
import { useStore } from './store.js';

const NOTHING = { data: null, error: null, at: 0 };

// { data, error, at, reload }: data is the last good answer, error is set while there is a newer bad one.
export function useLoad(address, { every } = {}) {
  const [state, set] = useState({ ...NOTHING, address });
  const running = useRef(null);
  const chosen = useStore(settings).refresh;
  const pause = every === undefined ? chosen : every;

  const reload = useCallback(async () => {
    if (!address) return;
    running.current?.abort();
    const mine = (running.current = new AbortController());
    try {
      const data = await get(address, { signal: mine.signal });
      set({ data, error: null, at: Date.now(), address });
    } catch (error) {
      if (error.name !== 'AbortError') set((now) => ({ ...(now.address === address ? now : NOTHING), error, address }));
    } finally {
      if (running.current === mine) running.current = null;
    }
  }, [address]);

  useEffect(() => {
    reload();
    return () => running.current?.abort();
  }, [reload]);

  useEffect(() => refreshed.follow(reload), [reload]);

  // What is not there does not come by asking for it.
  const gone = state.address === address && state.error?.status === 404;
  useEffect(() => {
    if (!pause || gone) return undefined;
    const timer = setInterval(() => document.hidden || running.current || reload(), pause * 1000);
    return () => clearInterval(timer);
  }, [reload, pause, gone]);

  // What belongs to the address before is not shown for a moment under the new one.
  return state.address === address ? { ...state, reload } : { ...NOTHING, reload };
}
