import assert from 'node:assert/strict';
import { test } from 'node:test';
import { layout } from '../src/lib/graph.js';

const step = (name, ...needs) => ({ name, needs });
const columns = ({ boxes }) => Object.fromEntries(boxes.map(({ step: { name }, x }) => [name, x]));

test('a step stands right of everything that it needs', () => {
  const x = columns(layout([step('last', 'a', 'c'), step('a'), step('b', 'a'), step('c', 'b')]));
  assert.ok(x.a < x.b && x.b < x.c && x.c < x.last);
});

test('no two steps lie on each other, and each need has a line', () => {
  const steps = [step('a'), step('b'), ...Array.from({ length: 6 }, (_, n) => step(`s${n}`, 'a', 'b'))];
  const { boxes, lines } = layout(steps);
  assert.equal(new Set(boxes.map(({ x, y }) => `${x} ${y}`)).size, steps.length);
  assert.equal(lines.length, 12);
});

test('needs of steps that are not there, and circles, draw no line and do not hang', () => {
  assert.equal(layout([step('a', 'nobody')]).lines.length, 0);
  assert.equal(layout([step('a', 'b'), step('b', 'a')]).boxes.length, 2);
});
