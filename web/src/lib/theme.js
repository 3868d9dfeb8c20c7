// Light or dark, as the system has it or as chosen.
import { choose, settings } from './settings.js';

const dark = matchMedia('(prefers-color-scheme: dark)');

export const isDark = () => (settings.get().theme === 'system' ? dark.matches : settings.get().theme === 'dark');
export const toggleTheme = () => choose({ theme: isDark() ? 'light' : 'dark' });

// The colour that a CSS variable has now, for what is drawn on a canvas.
export function colour(name) {
  const probe = document.createElement('i');
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

export function onTheme(listener) {
  dark.addEventListener('change', listener);
  const end = settings.follow(() => queueMicrotask(listener));
  return () => {
    dark.removeEventListener('change', listener);
    end();
  };
}
