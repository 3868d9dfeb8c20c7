// JSON as text and as an example. Pure.

// Where a text stops being JSON: { line, column, message }, or null when it is fine.
export function mistake(text) {
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    const at = positionOf(error.message, text);
    const before = text.slice(0, at).split('\n');
    return { line: before.length, column: before.at(-1).length + 1, message: wordsOf(error.message) };
  }
}

function positionOf(message, text) {
  const place = /line ([0-9]+) column ([0-9]+)/.exec(message);
  if (place) return text.split('\n').slice(0, place[1] - 1).reduce((sum, line) => sum + line.length + 1, 0) + Number(place[2]) - 1;
  const position = /position ([0-9]+)/.exec(message);
  return position ? Number(position[1]) : text.length;
}

const wordsOf = (message) => message.replace(/^JSON\.parse: /, '').replace(/,? ?(in JSON )?at (position|line).*$/s, '').replace(/, "[^]*$/, '');

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
