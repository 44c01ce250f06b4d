// A layered drawing from left to right: columns by the longest path, the order in a column by
// barycentres (Sugiyama, Tagawa and Toda 1981), heights by isotonic regression, which keeps items
// apart and close to their neighbours. Every open layer is laid out by itself, then stands as one
// item in the layer around it, so boxes never overlap. A value crosses a box's border at a port.

const GAP = { column: 40, row: 16, line: 9 };
const BORDER = { side: 14, top: 28, bottom: 12 };
const SWEEPS = 4;
const MOST_POINTS = 10_000; // of long lines; beyond it, lines longer than the next number go straight
const LONGEST_BENT = 4;

// The whole picture: {width, height, boxes, items, lines, routes}, see `Drawn`.
function layOut(layers, sizeOf) {
  const levels = levelsOf(layers);
  const top = layLevel(OUTSIDE, levels, sizeOf);
  const drawn = { boxes: [], items: new Map(), lines: [], routes: levels.routes };
  drawn.found = new Map(); // level edge -> its last line
  collect(top, BORDER.side, BORDER.bottom, drawn);
  return { ...drawn, width: top.width + 2 * BORDER.side, height: top.height + 2 * BORDER.bottom };
}

// What stands in each open layer, and the edges between: an edge between distant items is cut
// into one piece for each layer that it passes through.
function levelsOf(layers) {
  const levels = new Map([[OUTSIDE, newLevel()]]);
  const routes = new Map();
  const places = layers.nodes.map((_, number) => layers.place(number));
  places.forEach(({ item, open }, number) => {
    const path = [OUTSIDE, ...open];
    path.forEach((layer, depth) => {
      if (!levels.has(layer)) levels.set(layer, newLevel());
      const inner = path[depth + 1] === undefined ? item : `l${path[depth + 1]}`;
      const { members } = levels.get(layer);
      if (!members.has(inner)) members.set(inner, number);
    });
  });
  layers.nodes.forEach((node, target) => {
    for (const source of new Set(node.operands.map((operand) => operand.node))) {
      if (source === undefined || places[source].item === places[target].item) continue;
      routes.set(`${source}>${target}`, addEdge(levels, source, places[source], places[target]));
    }
  });
  levels.routes = routes;
  return levels;
}

function newLevel() {
  return { members: new Map(), edges: new Map() };
}

function addEdge(levels, value, source, target) {
  const from = [OUTSIDE, ...source.open];
  const to = [OUTSIDE, ...target.open];
  let shared = 0;
  while (shared + 1 < Math.min(from.length, to.length) && from[shared + 1] === to[shared + 1]) {
    shared += 1;
  }
  const pieces = [];
  const add = (layer, a, b) => {
    const key = `${layer} ${value} ${a} ${b}`;
    levels.get(layer).edges.set(key, { key, value, from: a, to: b });
    pieces.push(key);
  };
  let a = source.item;
  for (let depth = from.length - 1; depth > shared; depth -= 1) {
    add(from[depth], a, `out${value}`);
    a = `l${from[depth]}`;
  }
  let b = target.item;
  for (let depth = to.length - 1; depth > shared; depth -= 1) {
    add(to[depth], `in${value}`, b);
    b = `l${to[depth]}`;
  }
  add(from[shared], a, b);
  return pieces;
}

// One layer: its items with x and y inside it, its lines, its ports' heights, its size.
function layLevel(layer, levels, sizeOf) {
  const { members, edges } = levels.get(layer);
  const items = new Map();
  for (const [key, order] of members) {
    const open = key[0] === "l" && levels.has(Number(key.slice(1)));
    const inside = open ? layLevel(Number(key.slice(1)), levels, sizeOf) : null;
    const size = inside ? boxSize(inside) : sizeOf(key);
    items.set(key, { key, order, inside, weight: 1, ...size });
  }
  for (const { from, to, value } of edges.values()) {
    for (const port of [from, to]) {
      if (items.has(port)) continue;
      items.set(port, { key: port, order: value, port: true, weight: 2, width: 0, height: 0 });
    }
  }
  const ranks = rank(items, [...edges.values()]);
  const { columns, links, ends } = chains(items, edges, ranks);
  arrange(columns, links);
  const size = position(columns, links);
  return { layer, items, columns, links, ends, ...size };
}

function boxSize(inside) {
  return {
    width: inside.width + 2 * BORDER.side,
    height: inside.height + BORDER.top + BORDER.bottom,
  };
}

// The column of each item: after all it reads, and just before its first reader where it reads one
// value at most, since that makes no line longer than it makes others shorter.
function rank(items, edges) {
  const out = new Map([...items.keys()].map((key) => [key, []]));
  const waiting = new Map([...items.keys()].map((key) => [key, 0]));
  for (const { from, to } of edges) {
    out.get(from).push(to);
    waiting.set(to, waiting.get(to) + 1);
  }
  const ranks = new Map([...items.keys()].map((key) => [key, 0]));
  const reads = new Map(waiting);
  const ready = [...items.keys()].filter((key) => waiting.get(key) === 0);
  const order = [];
  const left = new Set(items.keys());
  while (left.size) {
    // layers that feed each other have no order: go on with the first that is left
    const key = ready.pop() ?? left.values().next().value;
    if (!left.delete(key)) continue;
    order.push(key);
    for (const to of out.get(key)) {
      if (!left.has(to)) continue;
      ranks.set(to, Math.max(ranks.get(to), ranks.get(key) + 1));
      waiting.set(to, waiting.get(to) - 1);
      if (waiting.get(to) === 0) ready.push(to);
    }
  }
  for (const key of order.reverse()) {
    const readers = out.get(key).filter((to) => !isExit(to)).map((to) => ranks.get(to));
    if (reads.get(key) > 1 || items.get(key).port || !readers.length) continue;
    ranks.set(key, Math.max(ranks.get(key), least(readers) - 1));
  }
  const last = most(ranks.values());
  for (const key of items.keys()) if (isExit(key)) ranks.set(key, last + 1);
  return ranks;
}

function isExit(key) {
  return key.startsWith("out");
}

function least(numbers) {
  return [...numbers].reduce((a, b) => Math.min(a, b), Infinity);
}

function most(numbers) {
  return [...numbers].reduce((a, b) => Math.max(a, b), 0);
}

// How many columns a line may pass by points of its own.
function longestBent(items, edges) {
  const spans = new Map();
  for (const { from, to, value } of edges) {
    const span = items.get(to).column - items.get(from).column - 1;
    const key = `${from} ${value}`;
    spans.set(key, Math.max(0, span, spans.get(key) ?? 0));
  }
  const all = [...spans.values()].reduce((sum, span) => sum + span, 0);
  return all > MOST_POINTS ? LONGEST_BENT : Infinity;
}

// Columns of items, with points where long edges pass; all edges of one value share their points.
function chains(items, edges, ranks) {
  const columns = [];
  const put = (item, column) => {
    item.column = column;
    (columns[column] ??= []).push(item);
  };
  for (const [key, item] of items) put(item, ranks.get(key));
  const longest = longestBent(items, edges.values());
  const links = [];
  const points = new Map(); // "from value" -> the links along the chain
  const ends = new Map(); // level edge -> its last link
  const link = (a, b, value, before) => {
    links.push({ a, b, value, before });
    return links[links.length - 1];
  };
  for (const { key, from, to, value } of edges.values()) {
    const [a, b] = [items.get(from), items.get(to)];
    if (b.column <= a.column + 1 || b.column - a.column - 1 > longest) {
      ends.set(key, link(a, b, value));
      continue;
    }
    const chain = points.get(`${from} ${value}`) ?? [];
    points.set(`${from} ${value}`, chain);
    while (a.column + chain.length + 1 < b.column) {
      const point = { order: value, point: true, weight: 2, width: 0, height: 0 };
      put(point, a.column + chain.length + 1);
      const before = chain[chain.length - 1];
      chain.push(link(before ? before.b : a, point, value, before));
    }
    const before = chain[b.column - a.column - 2];
    ends.set(key, link(before.b, b, value, before));
  }
  for (let i = 0; i < columns.length; i += 1) columns[i] ??= [];
  return { columns, links, ends };
}

// The order in each column, by the mean place of the neighbours.
function arrange(columns, links) {
  for (const column of columns) column.sort((a, b) => a.order - b.order);
  const place = () => columns.forEach((column) => column.forEach((item, i) => (item.place = i)));
  const before = new Map();
  const after = new Map();
  for (const { a, b, value } of links) {
    push(before, b, () => a.place + portShare(a, `out${value}`));
    push(after, a, () => b.place + portShare(b, `in${value}`));
  }
  place();
  for (let sweep = 0; sweep < 2 * SWEEPS; sweep += 1) {
    const neighbours = sweep % 2 ? after : before;
    const inOrder = sweep % 2 ? [...columns].reverse() : columns;
    for (const column of inOrder) {
      for (const item of column) item.middle = mean(neighbours.get(item)) ?? item.place;
      column.sort((a, b) => a.middle - b.middle || a.place - b.place);
      column.forEach((item, i) => (item.place = i));
    }
  }
}

function push(map, key, value) {
  if (!map.has(key)) map.set(key, []);
  map.get(key).push(value);
}

function mean(functions) {
  if (!functions?.length) return undefined;
  return functions.reduce((sum, value) => sum + value(), 0) / functions.length;
}

// Where a port is along the border of an open box, from −½ to ½; 0 for everything else.
function portShare(item, port) {
  return item.inside ? portHeight(item, port) / item.height - 0.5 : 0;
}

// The height of the port below the item's top; plain items have it in their middle.
function portHeight(item, port) {
  const found = item.inside?.items.get(port);
  return found ? BORDER.top + found.y : item.height / 2;
}

function position(columns, links) {
  for (const column of columns) {
    let y = 0;
    for (const item of column) {
      item.y = y;
      y += item.height + GAP.row;
    }
  }
  const before = new Map();
  const after = new Map();
  for (const { a, b, value } of links) {
    const [out, into] = [portHeight(a, `out${value}`), portHeight(b, `in${value}`)];
    push(before, b, () => a.y + out - into);
    push(after, a, () => b.y + into - out);
  }
  for (let sweep = 0; sweep < 2 * SWEEPS + 2; sweep += 1) {
    const inOrder = sweep % 2 ? [...columns].reverse() : columns;
    for (const column of inOrder) {
      const sides = sweep < 2 * SWEEPS ? [sweep % 2 ? after : before] : [before, after];
      settle(column, (item) => mean(sides.flatMap((side) => side.get(item) ?? [])) ?? item.y);
    }
  }
  return { height: shiftToTop(columns), width: across(columns) };
}

function across(columns) {
  let x = 0;
  for (const column of columns) {
    const width = most(column.map((item) => item.width));
    for (const item of column) {
      item.left = x;
      item.right = x + width;
      item.x = item.port ? x : x + (width - item.width) / 2;
    }
    x += width + (width ? GAP.column : GAP.column / 2);
  }
  return most(columns.flat().map((item) => item.right));
}

function shiftToTop(columns) {
  const all = columns.flat();
  const top = least(all.map((item) => item.y));
  for (const item of all) item.y -= top;
  return most(all.map((item) => item.y + item.height));
}

// The nearest heights to the wished ones that keep the order and the gaps: neighbours that would
// overlap are pooled and stand around their common mean.
function settle(column, wish) {
  const pools = [];
  let offset = 0;
  let previous = null;
  for (const item of column) {
    if (previous) offset += previous.height + (previous.point || item.point ? GAP.line : GAP.row);
    previous = item;
    let pool = { sum: item.weight * (wish(item) - offset), weight: item.weight, count: 1 };
    item.offset = offset;
    while (pools.length && height(pools[pools.length - 1]) >= height(pool)) {
      const last = pools.pop();
      pool = {
        sum: last.sum + pool.sum, weight: last.weight + pool.weight, count: last.count + pool.count,
      };
    }
    pools.push(pool);
  }
  let i = 0;
  for (const pool of pools) {
    for (let n = 0; n < pool.count; n += 1, i += 1) column[i].y = height(pool) + column[i].offset;
  }
}

function height(pool) {
  return pool.sum / pool.weight;
}

// Absolute places of all items, boxes and lines of a level and the levels in it.
function collect(level, x, y, drawn) {
  for (const item of level.items.values()) {
    const box = { x: x + item.x, y: y + item.y, width: item.width, height: item.height };
    if (item.inside) {
      drawn.boxes.push({ layer: item.inside.layer, ...box });
      collect(item.inside, box.x + BORDER.side, box.y + BORDER.top, drawn);
    } else if (!item.port) {
      drawn.items.set(item.key, box);
    }
  }
  for (const link of level.links) {
    const plain = (item) => !(item.point || item.port || item.inside);
    link.line = { ...endsOf(level, link, x, y), begins: plain(link.a), arrives: plain(link.b) };
    link.line.before = link.before?.line;
    drawn.lines.push(link.line);
  }
  for (const [key, link] of level.ends) drawn.found.set(key, link.line);
}

function outline(item) {
  return item.outline ?? item.width;
}

// From the item's side to the column's edge, across the gap, and to the other item's side.
function endsOf(level, { a, b, value }, x, y) {
  const from = a.port ? -BORDER.side : a.point ? a.left : a.x + (a.width + outline(a)) / 2;
  const to = b.port ? level.width + BORDER.side : b.point ? b.left : b.x + (b.width - outline(b)) / 2;
  return {
    start: x + from, leave: x + a.right, startY: y + a.y + portHeight(a, `out${value}`),
    end: x + to, arrive: x + b.left, endY: y + b.y + portHeight(b, `in${value}`),
  };
}
