// The graph as SVG. Values stand above their nodes and gradients below, once they are known.

const SVG = "http://www.w3.org/2000/svg";
const FONT = "13px Helvetica, Arial, 'Liberation Sans', sans-serif";
const BOX = 28; // height of a node's outline
const LINE = 17; // height of the text above and below it
const LONGEST_LABEL = 26;
const LONGEST_SHORT = 24;
const BARS = 9 / 13; // the size of the bars of a histogram beside the text
const ZOOM = { least: 0.05, most: 3, step: 1.25, readable: 0.8 };

function svg(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function cut(text, longest) {
  const signs = [...text];
  return signs.length <= longest ? text : `${signs.slice(0, longest - 1).join("")}…`;
}

class Picture {
  constructor(holder, passes, layers, onPick) {
    this.holder = holder;
    this.passes = passes;
    this.layers = layers;
    this.onPick = onPick;
    this.zoom = 1;
    const canvas = document.createElement("canvas").getContext("2d");
    canvas.font = FONT;
    this.measured = new Map();
    this.measure = (text) => {
      if (!this.measured.has(text)) this.measured.set(text, canvas.measureText(text).width);
      return this.measured.get(text);
    };
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
  }

  draw() {
    this.layout = layOut(this.layers, (key) => this.size(key));
    const { width, height, boxes, lines, items } = this.layout;
    this.svg = svg("svg", { viewBox: `0 0 ${width} ${height}` });
    this.views = new Map();
    this.boxes = new Map();
    this.marked = [];
    for (const box of boxes) this.svg.append(this.box(box));
    for (const line of lines) this.svg.append(...this.line(line));
    for (const [key, place] of items) this.svg.append(this.item(key, place));
    this.holder.replaceChildren(this.svg);
    this.scale(this.zoom);
  }

  // An item's size, with room for all that will ever stand above and below it.
  size(key) {
    const texts = this.shownNumbers(key).flatMap((number) => this.passes.shorts(number));
    const widest = Math.max(0, ...texts.map((text) => this.numberWidth(text)));
    const own = this.outlineWidth(key);
    const height = this.boxHeight(key) + 2 * LINE;
    return { width: Math.max(own, widest + 6), height, outline: own };
  }

  numberWidth(text) {
    const { words, bars } = taken(text);
    return this.measure(words) + this.measure(bars) * BARS;
  }

  outlineWidth(key) {
    const [label, second] = this.labels(key);
    return Math.max(44, this.measure(label) + 24, second ? this.measure(second) * 0.85 + 24 : 0);
  }

  boxHeight(key) {
    return key[0] === "l" ? BOX + 14 : BOX;
  }

  labels(key) {
    if (key[0] === "n") return [cut(this.layers.nodes[key.slice(1)].label, LONGEST_LABEL), ""];
    const layer = Number(key.slice(1));
    const count = this.layers.members[layer].length;
    return [
      cut(this.layers.layers[layer].name, LONGEST_LABEL), `${count} node${count === 1 ? "" : "s"}`,
    ];
  }

  // The node whose numbers an item shows: itself, or the only one that leaves a closed layer.
  shownNumbers(key) {
    if (key[0] === "n") return [Number(key.slice(1))];
    const results = this.passes.resultsOf(Number(key.slice(1)));
    return results.length === 1 ? results : [];
  }

  item(key, { x, y, width, height }) {
    const middle = x + width / 2;
    const [label, second] = this.labels(key);
    const text = (cls, at, content) => {
      const made = svg("text", { class: cls, x: middle, y: at });
      made.textContent = content;
      return made;
    };
    const box = this.boxHeight(key);
    const own = this.outlineWidth(key);
    const node = key[0] === "n" ? this.layers.nodes[key.slice(1)] : null;
    const kind = node ? node.kind.replaceAll(" ", "-") : "layer";
    const round = ["input", "hyperparameter"].includes(kind) ? BOX / 2 : kind === "parameter" ? 0 : 6;
    const outline = svg("rect", {
      class: "outline", x: middle - own / 2, y: y + LINE, width: own, height: box, rx: round,
    });
    const view = {
      value: text("value", y + LINE - 5, ""),
      gradient: text("gradient", y + LINE + box + 13, ""),
      numbers: this.shownNumbers(key),
      place: { x, y, width, height },
    };
    view.group = svg("g", { class: `item ${kind}`, role: "button", tabindex: "-1" }, outline,
      text("label", y + LINE + 19, label), view.value, view.gradient);
    if (second) view.group.append(text("count", y + LINE + 35, second));
    view.name = node ? `${node.label}, ${node.kind}` : `layer ${label}, closed, ${second}`;
    view.group.setAttribute("aria-label", view.name);
    if (!node) view.group.setAttribute("aria-expanded", "false");
    view.group.addEventListener("click", () => this.onPick(key));
    this.views.set(key, view);
    return view.group;
  }

  box({ layer, x, y, width, height }) {
    const { name } = this.layers.layers[layer];
    const title = svg("text", { class: "title", x: x + 10, y: y + 18 });
    title.textContent = `− ${cut(name, LONGEST_LABEL)}`;
    const handle = svg("rect", {
      class: "handle", x, y, width: Math.min(width, this.measure(title.textContent) + 22),
      height: 25, rx: 8,
    });
    const button = svg("g", {
      class: "close", role: "button", tabindex: "0", "aria-expanded": "true",
      "aria-label": `layer ${name}, open`,
    }, handle, title);
    button.addEventListener("click", () => this.onPick(`l${layer}`));
    const group = svg("g", { class: "box" },
      svg("rect", { class: "frame", x, y, width, height, rx: 8 }), button);
    this.boxes.set(layer, button);
    return group;
  }

  line(line) {
    const { start, leave, arrive, end, startY, endY } = line;
    const bend = Math.max(12, (arrive - leave) / 2);
    const d = `M${start} ${startY}H${leave}C${leave + bend} ${startY} ${arrive - bend} ${endY} `
      + `${arrive} ${endY}H${end}`;
    line.path = svg("path", { class: "line", d });
    if (!line.arrives) return [line.path];
    line.head = svg("path", { class: "line head", d: arrow(end, endY, -7) });
    return [line.path, line.head];
  }

  // Show what is known at a step, and mark the node whose turn it is.
  show(step) {
    const { node, backward } = this.passes.at(step);
    for (const view of this.views.values()) {
      const [number] = view.numbers;
      if (number === undefined) continue;
      write(view.value, this.passes.valueText(number, step));
      write(view.gradient, this.passes.gradientText(number, step));
    }
    for (const marked of this.marked) marked.classList.remove("current", "taken", "back");
    this.svg.querySelectorAll(".head-back").forEach((head) => head.remove());
    this.current?.setAttribute("tabindex", "-1");
    this.current?.removeAttribute("aria-current");
    const { item } = this.layers.place(node);
    const view = this.views.get(item);
    view.group.classList.add("current");
    view.group.classList.toggle("back", backward);
    view.group.setAttribute("tabindex", "0");
    view.group.setAttribute("aria-current", "step");
    this.current = view.group;
    this.marked = [view.group, ...this.mark(node, backward)];
    this.follow(view.place);
  }

  // The lines from the operands, which also lead back to them.
  mark(node, backward) {
    const paths = [];
    for (const operand of this.layers.nodes[node].operands) {
      if (operand.node === undefined || (backward && operand.local === undefined)) continue;
      for (const edge of this.layout.routes.get(`${operand.node}>${node}`) ?? []) {
        for (let line = this.layout.found.get(edge); line; line = line.before) {
          paths.push(line.path, ...(line.head ? [line.head] : []));
          if (backward && line.begins) paths.push(this.headBack(line));
        }
      }
    }
    for (const path of paths) {
      path.classList.add("taken");
      path.classList.toggle("back", backward);
    }
    return paths;
  }

  // On the way back, the arrow points at the operand.
  headBack({ start, startY, path }) {
    const head = svg("path", { class: "line head-back", d: arrow(start, startY, 7) });
    path.after(head);
    return head;
  }

  // Scroll as little as keeps the item well inside the picture.
  follow({ x, y, width, height }) {
    const near = (at, length, from, room) => {
      const margin = Math.min(90, (room - length) / 3);
      if (length > room) return at - 10;
      if (at < from + margin || at + length > from + room - margin) {
        return at + length / 2 - room / 2;
      }
      return from;
    };
    const { zoom, holder } = this;
    const left = near(x * zoom, width * zoom, holder.scrollLeft, holder.clientWidth);
    const top = near(y * zoom, height * zoom, holder.scrollTop, holder.clientHeight);
    holder.scrollTo({ left, top, behavior: this.calm.matches ? "instant" : "smooth" });
  }

  scale(zoom) {
    this.zoom = Math.min(ZOOM.most, Math.max(ZOOM.least, zoom));
    this.svg.setAttribute("width", this.layout.width * this.zoom);
    this.svg.setAttribute("height", this.layout.height * this.zoom);
  }

  whole() {
    const { clientWidth, clientHeight } = this.holder;
    return Math.min(1.5, clientWidth / this.layout.width, clientHeight / this.layout.height);
  }

  // All of the graph where it stays readable, else at the natural size.
  begin() {
    this.scale(this.whole() >= ZOOM.readable ? this.whole() : 1);
  }
}

function arrow(x, y, length) {
  return `M${x + length} ${y - 4}L${x} ${y}L${x + length} ${y + 4}`;
}

// The words and the bars of a short text: `[4,8] ▁▂▅█▅▂▁▁`.
function taken(text) {
  const [, words, bars] = text.match(/^(.*?)([▁-█]*)$/su);
  return { words: cut(words, LONGEST_SHORT), bars };
}

function write(element, text) {
  if (element.textContent === text) return;
  const { words, bars } = taken(text);
  element.replaceChildren(words);
  if (!bars) return;
  const small = svg("tspan", { class: "bars", dy: -2 });
  small.textContent = bars;
  element.append(small);
}
