// Where a text stops being JSON, and what should stand there. Browsers tell it each in their own way, or not at all. Pure.

const TOKEN = /[ \t\n\r]*(?:([{}[\],:])|("(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null)|$)/y;
const SPACE = /[ \t\n\r]*/y;

// What may come next, and how a reader is told.
const WANTED = {
  value: 'a value should stand here',
  first: 'a value or ] should stand here',
  key: 'a name in double quotes should stand here',
  firstKey: 'a name in double quotes or } should stand here',
  colon: 'a colon should stand here',
  more: 'a comma or the closing bracket should stand here',
  end: 'the JSON has ended before this',
};

// null, or { at, message } of the first character that does not fit
export function misfit(text) {
  const open = [];
  let next = 'value';
  TOKEN.lastIndex = 0;
  for (;;) {
    SPACE.lastIndex = TOKEN.lastIndex;
    SPACE.exec(text);
    const at = SPACE.lastIndex;
    const [whole, sign, string, plain] = TOKEN.exec(text) ?? [];
    const follows = whole === undefined ? undefined : step(next, open, sign ?? (string ? 'string' : plain ? 'plain' : 'nothing'));
    if (follows === undefined) return { at, message: WANTED[next] };
    if (follows === null) return null;
    next = follows;
  }
}

// What may follow a token; undefined when it does not fit, null when all is done.
function step(next, open, token) {
  const value = next === 'value' || next === 'first';
  const key = next === 'key' || next === 'firstKey';
  if (token === 'nothing') return next === 'end' ? null : undefined;
  if (value && (token === '{' || token === '[')) {
    open.push(token === '{' ? '}' : ']');
    return token === '{' ? 'firstKey' : 'first';
  }
  if (value && (token === 'string' || token === 'plain')) return after(open);
  if (key && token === 'string') return 'colon';
  if (next === 'colon' && token === ':') return 'value';
  if (next === 'more' && token === ',') return open.at(-1) === '}' ? 'key' : 'value';
  const closes = next === 'more' || (next === 'first' && token === ']') || (next === 'firstKey' && token === '}');
  if (!closes || token !== open.at(-1)) return undefined;
  open.pop();
  return after(open);
}

const after = (open) => (open.length ? 'more' : 'end');
