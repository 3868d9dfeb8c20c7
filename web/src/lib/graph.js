// Where the steps of a flow stand in a picture: columns by what they need, rows so that few lines cross. Pure.

export const BOX = { width: 168, height: 50, gapX: 56, gapY: 18 };

// steps: [{ name, needs }] -> { width, height, boxes: [{ step, x, y }], lines: [{ from, to, path }] }
export function layout(steps, box = BOX) {
  const columns = byColumn(steps);
  order(columns);
  const tallest = Math.max(0, ...columns.map((column) => column.length));
  const height = tallest * box.height + Math.max(0, tallest - 1) * box.gapY;
  const boxes = columns.flatMap((column, c) => column.map((step, r) => {
    const own = column.length * box.height + (column.length - 1) * box.gapY;
    return { step, x: c * (box.width + box.gapX), y: (height - own) / 2 + r * (box.height + box.gapY) };
  }));
  const at = new Map(boxes.map((each) => [each.step.name, each]));
  const lines = steps.flatMap((step) => step.needs.filter((need) => at.has(need)).map((need) => line(at.get(need), at.get(step.name), box)));
  return { width: columns.length * box.width + Math.max(0, columns.length - 1) * box.gapX, height, boxes, lines };
}

// A step stands right of all that it needs.
function byColumn(steps) {
  const known = new Map(steps.map((step) => [step.name, step]));
  const depths = new Map();
  const depth = (name, path) => {
    if (depths.has(name)) return depths.get(name);
    const needs = known.get(name).needs.filter((need) => known.has(need) && !path.includes(need));
    const found = needs.length ? 1 + Math.max(...needs.map((need) => depth(need, [...path, name]))) : 0;
    depths.set(name, found);
    return found;
  };
  const columns = [];
  for (const step of steps) (columns[depth(step.name, [step.name])] ??= []).push(step);
  return columns;
}

// Each step goes to the middle of what it needs.
function order(columns) {
  const row = new Map();
  for (const column of columns) {
    const middle = (step) => {
      const rows = step.needs.map((need) => row.get(need)).filter((r) => r !== undefined);
      return rows.length ? rows.reduce((sum, r) => sum + r, 0) / rows.length : 0;
    };
    const places = new Map(column.map((step) => [step, middle(step)]));
    column.sort((a, b) => places.get(a) - places.get(b));
    column.forEach((step, r) => row.set(step.name, r - (column.length - 1) / 2));
  }
}

function line(from, to, box) {
  const [x1, y1, x2, y2] = [from.x + box.width, from.y + box.height / 2, to.x, to.y + box.height / 2];
  const bend = Math.max(24, (x2 - x1) / 2);
  return { from: from.step, to: to.step, path: `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2 - 2} ${y2}` };
}
