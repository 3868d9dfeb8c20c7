// Our own signs, 16 by 16, drawn with lines. Each state has one, so colour is never the only difference.
import { html } from '../lib/html.js';

const SHAPES = {
  waiting: 'M8 3.2a4.8 4.8 0 1 0 0 9.6a4.8 4.8 0 1 0 0-9.6',
  delayed: 'M8 2.8a5.2 5.2 0 1 0 0 10.4a5.2 5.2 0 1 0 0-10.4M8 5v3.2l2.2 1.4',
  active: 'M5 3.5v9l7-4.5z',
  blocked: 'M4.5 3h7M4.5 13h7M5.5 3c0 3 5 4 5 5s-5 2-5 5M10.500 3c0 3-5 4-5 5s5 2 5 5',
  completed: 'M3.200 8.500l3.200 3.200l6.400-7',
  dead: 'M4 4l8 8M12 4l-8 8',
  cancelled: 'M8 2.800a5.200 5.200 0 1 0 0 10.400a5.200 5.200 0 1 0 0-10.400M4.400 11.600l7.200-7.200',
  failed: 'M8 3v6M8 12v.5',
  skipped: 'M3 4l5 4l-5 4zM12.500 4v8',
  pending: 'M4 8h.1M8 8h.1M12 8h.1',
  paused: 'M5.500 3.500v9M10.500 3.500v9',
  overview: 'M2.500 4h5M2.500 8h11M2.500 12h8',
  queue: 'M2 5h5a3 3 0 0 1 3 3v0a3 3 0 0 0 3 3h1',
  flows: 'M3 3.500h3v3h-3zM10 2h3v3h-3zM10 10.500h3v3h-3zM6 5l4-1.500M6 5.500l4 6',
  schedules: 'M3 4.500h10v8.500h-10zM3 7h10M5.500 3v2.500M10.500 3v2.500',
  workers: 'M3 3h10v4h-10zM3 9h10v4h-10zM5.500 5h.1M5.500 11h.1',
  charts: 'M2.500 13.500h11M4 11l3-4l2.500 2l3.500-5.500',
  config: 'M4 2.500h6l2.500 2.500v8.500h-8.500zM6 8h4.500M6 10.500h4.500',
  audit: 'M8 2.500l5 2v3.500c0 3-2 5-5 6c-3-1-5-3-5-6v-3.500zM6 8l1.500 1.500l2.700-3',
  settings: 'M2.500 5h6M11.500 5h2M8.500 3.500v3h3v-3zM2.500 11h2M7.500 11h6M4.500 9.500v3h3v-3z',
  search: 'M7 3a4 4 0 1 0 0 8a4 4 0 1 0 0-8M10 10l3.500 3.500',
  sun: 'M8 5.300a2.700 2.700 0 1 0 0 5.400a2.700 2.700 0 1 0 0-5.400M8 1.500v1.500M8 13v1.500M1.500 8h1.500M13 8h1.500M3.400 3.400l1 1M11.600 11.600l1 1M12.600 3.400l-1 1M4.400 11.600l-1 1',
  moon: 'M12.800 9.800a5.300 5.300 0 0 1-6.600-6.600a5.300 5.300 0 1 0 6.600 6.600z',
  menu: 'M2.500 4.500h11M2.500 8h11M2.500 11.500h11',
  close: 'M4 4l8 8M12 4l-8 8',
  alert: 'M8 2.500l6 10.500h-12zM8 6.500v3M8 11.200v.1',
  right: 'M6 3.500l4.500 4.500l-4.500 4.500',
  down: 'M3.500 6l4.500 4.500l4.500-4.500',
  up: 'M3.500 10l4.500-4.500l4.500 4.500',
  plus: 'M8 3v10M3 8h10',
  copy: 'M5.500 5.500h7.500v7.500h-7.500zM3 10v-7h7',
  out: 'M6.500 3h-3.500v10h3.500M6.500 8h7M11 5.500l2.500 2.500l-2.500 2.500',
  key: 'M5.500 6a2.500 2.500 0 1 0 0 5a2.500 2.500 0 1 0 0-5M8 8.500h6M12 8.500v2.500',
};

export function Icon({ name, label }) {
  return html`<svg class=${`icon icon-${name}`} viewBox="0 0 16 16" role=${label ? 'img' : null} aria-label=${label}
    aria-hidden=${label ? null : 'true'} focusable="false"><path d=${SHAPES[name]} /></svg>`;
}
