// JSON as text and as an example. Pure.
import { misfit } from './json-place.js';

// Where a text stops being JSON: { line, column, message }, or null when it is fine.
export function mistake(text) {
  const found = misfit(text);
  if (!found) return null;
  const before = text.slice(0, found.at).split('\n');
  return { line: before.length, column: before.at(-1).length + 1, message: found.message };
}

export const pretty = (value) => JSON.stringify(value, null, 2);

// A payload to begin with: what a schema gives as examples and defaults, else the emptiest value of each required field.
export function example(schema, depth = 0) {
  if (schema === null || typeof schema !== 'object' || depth > 6) return null;
  if ('const' in schema) return schema.const;
  if ('default' in schema) return schema.default;
  if (schema.examples?.length) return schema.examples[0];
  if (schema.enum?.length) return schema.enum[0];
  const inner = schema.anyOf?.[0] ?? schema.oneOf?.[0] ?? schema.allOf?.[0];
  const type = [schema.type].flat()[0] ?? (schema.properties ? 'object' : inner ? null : 'object');
  if (!type) return example(inner, depth + 1);
  if (type === 'object') return objectOf(schema, depth);
  if (type === 'array') return schema.minItems ? [example(schema.items ?? {}, depth + 1)] : [];
  if (type === 'integer' || type === 'number') return schema.minimum ?? (schema.exclusiveMinimum === undefined ? 0 : schema.exclusiveMinimum + 1);
  return { string: '', boolean: false, null: null }[type] ?? null;
}

function objectOf({ properties = {}, required = [] }, depth) {
  const names = required.length ? required : Object.keys(properties);
  return Object.fromEntries(names.map((name) => [name, example(properties[name] ?? {}, depth + 1)]));
}

// What a schema wants, a line a field: [{ name, type, required, text }]
export function fieldsOf(schema) {
  const required = new Set(schema?.required ?? []);
  return Object.entries(schema?.properties ?? {}).map(([name, field]) => ({
    name, required: required.has(name), type: typeOf(field), text: field?.description ?? null,
  }));
}

function typeOf(field) {
  if (field?.enum) return field.enum.map((value) => JSON.stringify(value)).join(' | ');
  return [field?.type ?? 'any'].flat().join(' | ');
}
