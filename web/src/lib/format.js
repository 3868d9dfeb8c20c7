// How figures are written. Pure.

const COUNT = new Intl.NumberFormat('en');
const SHORT = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

export const count = (n) => (n === null || n === undefined ? '–' : COUNT.format(n));
export const short = (n) => (n === null || n === undefined ? '–' : Math.abs(n) < 10_000 ? COUNT.format(n) : SHORT.format(n));
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

const UNITS = [['d', 86_400_000], ['h', 3_600_000], ['m', 60_000], ['s', 1000]];

// As the file writes them: 95000 is '1m 35s', 850 is '850ms', 0.4 is '0.4ms'
export function duration(ms) {
  if (ms === null || ms === undefined) return '–';
  if (ms < 0) return `−${duration(-ms)}`;
  if (ms < 10) return `${Math.round(ms * 10) / 10}ms`;
  if (ms < 1000) return `${Math.round(ms)}ms`;
  if (ms < 10_000) return `${Math.round(ms / 100) / 10}s`;
  const first = UNITS.findIndex(([, size]) => ms >= size);
  const [unit, size] = UNITS[first];
  const rest = UNITS[first + 1];
  const more = rest && Math.floor((ms % size) / rest[1]);
  return `${Math.floor(ms / size)}${unit}${more ? ` ${more}${rest[0]}` : ''}`;
}

export function relative(at, now) {
  if (!at) return '–';
  const ms = at - now;
  if (Math.abs(ms) < 1000) return 'now';
  return ms > 0 ? `in ${duration(Math.round(ms / 1000) * 1000)}` : `${duration(Math.round(-ms / 1000) * 1000)} ago`;
}

const pad = (n, width = 2) => String(n).padStart(width, '0');

export function clock(at, seconds = true) {
  const time = new Date(at);
  return `${pad(time.getHours())}:${pad(time.getMinutes())}${seconds ? `:${pad(time.getSeconds())}` : ''}`;
}

// 2026-11-30 22:35:07, of this browser's time zone
export function absolute(at, millis = false) {
  if (!at) return '–';
  const time = new Date(at);
  const day = `${time.getFullYear()}-${pad(time.getMonth() + 1)}-${pad(time.getDate())}`;
  return `${day} ${clock(at)}${millis ? `.${pad(time.getMilliseconds(), 3)}` : ''}`;
}

const SIZES = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export function bytes(n) {
  if (n === null || n === undefined) return '–';
  let step = 0;
  while (n >= 1024 && step < SIZES.length - 1) {
    n /= 1024;
    step += 1;
  }
  return `${n < 10 && step ? n.toFixed(1) : Math.round(n)} ${SIZES[step]}`;
}

export function rate(perSecond) {
  if (perSecond === null || perSecond === undefined) return '–';
  if (perSecond === 0) return '0/s';
  if (perSecond >= 1) return `${perSecond < 10 ? perSecond.toFixed(1) : short(Math.round(perSecond))}/s`;
  const perMinute = perSecond * 60;
  return perMinute >= 1 ? `${Math.round(perMinute)}/min` : `${perMinute.toFixed(1)}/min`;
}

export function share(part, whole) {
  if (!whole) return '–';
  const percent = (100 * part) / whole;
  return `${percent > 0 && percent < 1 ? '<1' : Math.round(percent)} %`;
}

export const cut = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

// 5s, 1m30s, 500ms as the file writes them; undefined for what is none
export function parseDuration(text) {
  const found = [...text.trim().matchAll(/([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d|w)/gy)];
  if (!found.length || found.map((part) => part[0]).join('') !== text.trim()) return undefined;
  const sizes = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
  return found.reduce((sum, [, number, unit]) => sum + Number(number) * sizes[unit], 0);
}
