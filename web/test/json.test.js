import assert from 'node:assert/strict';
import { test } from 'node:test';
import { example, fieldsOf, mistake } from '../src/lib/json.js';

test('a mistake is told with its line and column', () => {
  assert.equal(mistake('{"a": 1}'), null);
  const { line, column } = mistake('{\n  "a": 1,\n  "b": x\n}');
  assert.deepEqual([line, column], [3, 8]);
});

test('what is JSON and what is not is judged as the browser judges it', () => {
  const texts = ['{}', '[]', '[1,]', '{"a":1,}', '"a', '01', '-1.5e3', 'nul', '[1 2]', '{"a" 1}', '{a:1}', '', ' ', '[[{"a":[]}]]', '{}}', '[}', '"\\u12"', '"\t"', 'true false', '{"a":{"b":[1,{"c":null}]}}'];
  for (const text of texts) {
    let good = true;
    try {
      JSON.parse(text);
    } catch {
      good = false;
    }
    assert.equal(mistake(text) === null, good, text);
  }
});

test('a payload begins with what the schema requires, examples and defaults first', () => {
  const schema = { type: 'object', required: ['charge', 'amount', 'card', 'lines'], properties: {
    charge: { type: 'string', examples: ['ch_1'] }, amount: { type: 'integer', minimum: 1 }, card: { enum: ['visa'] }, note: { type: 'string' },
    lines: { type: 'array', minItems: 1, items: { type: 'object', properties: { sku: { type: 'string', default: 'A7' } } } },
  } };
  assert.deepEqual(example(schema), { charge: 'ch_1', amount: 1, card: 'visa', lines: [{ sku: 'A7' }] });
});

test('a schema that points into itself ends', () => {
  const schema = { type: 'object', properties: {} };
  schema.properties.inner = schema;
  assert.ok(example(schema));
});

test('fields are listed with what they may be', () => {
  assert.deepEqual(fieldsOf({ required: ['a'], properties: { a: { type: 'integer' }, b: { enum: ['x', 'y'] } } }), [
    { name: 'a', required: true, type: 'integer', text: null }, { name: 'b', required: false, type: '"x" | "y"', text: null },
  ]);
});
