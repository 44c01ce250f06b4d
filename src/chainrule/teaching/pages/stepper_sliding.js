// A convolution opened: its kernel over the image, one position at a time, with the numbers.

const CELL = 38; // of the grids, in their own points
const MOST_NUMBERS = 12; // columns that still have room for numbers

class Sliding {
  constructor({ image, images, kernel, stride, dilation, border }) {
    Object.assign(this, { image, images, kernel, stride, dilation, border });
    this.filters = kernel[0].length; // of each group
    this.channels = image[0].length;
    const [height, width] = sizes(image[0][0]);
    const taps = sizes(kernel[0][0][0]);
    this.rows = places(height, taps[0], stride[0], dilation[0]);
    this.columns = places(width, taps[1], stride[1], dilation[1]);
    this.at = 0; // the position, row by row
    this.results = new Map(); // those of each filter, once they are asked for
    this.holder = element("section", { class: "sliding", "aria-label": "Position by position" });
    this.controls();
    this.draw();
  }

  controls() {
    const move = (label, sign, by) => {
      const button = element("button", { type: "button", "aria-label": label }, sign);
      button.addEventListener("click", () => this.go(this.at + by));
      return button;
    };
    this.range = element("input", {
      type: "range", min: 0, max: this.rows * this.columns - 1, value: 0, "aria-label": "Position",
    });
    this.range.addEventListener("input", () => this.go(Number(this.range.value)));
    this.filter = this.choice("filter", this.filters * this.kernel.length);
    this.channel = this.choice("channel", this.channels);
    const choices = [this.filter, this.channel].filter(({ options }) => options.length > 1)
      .map((select) => element("label", {}, `${select.name} `, select));
    this.shown = element("div", { "aria-live": "polite" });
    this.holder.append(
      element("h3", {}, "Position by position"),
      element("div", { class: "moves" },
        move("Previous position", "◀", -1), this.range, move("Next position", "▶", 1)),
      ...(choices.length ? [element("div", { class: "moves" }, ...choices)] : []),
      this.shown,
    );
  }

  choice(name, count) {
    const select = element("select", { name });
    for (let i = 0; i < count; i += 1) select.append(element("option", { value: i }, `${i + 1}`));
    select.addEventListener("change", () => this.draw());
    return select;
  }

  go(position) {
    this.at = Math.max(0, Math.min(this.rows * this.columns - 1, position));
    this.range.value = this.at;
    this.draw();
  }

  get group() {
    return Math.floor(Number(this.filter.value) / this.filters);
  }

  kernelOf(channel) {
    return this.kernel[this.group][Number(this.filter.value) % this.filters][channel];
  }

  // The pixels below the kernel at a position, tap by tap.
  below(channel, position) {
    const [top, left] = this.corner(position);
    const pixels = this.image[this.group][channel];
    return this.kernelOf(channel).map((row, i) => row.map((_, j) =>
      pixels[top + i * this.dilation[0]][left + j * this.dilation[1]]));
  }

  corner(position) {
    return [
      Math.floor(position / this.columns) * this.stride[0],
      (position % this.columns) * this.stride[1],
    ];
  }

  products(channel, position) {
    const kernel = this.kernelOf(channel);
    return this.below(channel, position).map((row, i) => row.map((x, j) => x * kernel[i][j]));
  }

  sum(channel, position) {
    return this.products(channel, position).flat().reduce((a, b) => a + b, 0);
  }

  total(position) {
    let total = 0;
    for (let channel = 0; channel < this.channels; channel += 1) {
      total += this.sum(channel, position);
    }
    return total;
  }

  // What a filter gives at every position, row by row.
  result() {
    const filter = this.filter.value;
    if (!this.results.has(filter)) {
      const positions = Array.from({ length: this.rows * this.columns }, (_, p) => this.total(p));
      this.results.set(filter, positions);
    }
    return this.results.get(filter);
  }

  draw() {
    const channel = Number(this.channel.value);
    const row = Math.floor(this.at / this.columns);
    const column = this.at % this.columns;
    const kernel = this.kernelOf(channel);
    const products = this.products(channel, this.at);
    const place = `row ${row + 1}, column ${column + 1} of ${this.rows} × ${this.columns}`;
    this.shown.replaceChildren(
      element("p", { class: "place" }, place),
      named(this.images > 1 ? `image 1 of ${this.images}` : "image", this.picture(channel)),
      element("div", { class: "pair" },
        named("kernel", grid(kernel, { classOf: () => "under" })),
        named("products", grid(products))),
      element("p", { class: "equation" }, ...this.equation(channel)),
      named("result so far", this.resultSoFar()),
    );
  }

  picture(channel) {
    const pixels = this.image[this.group][channel];
    const [top, left] = this.corner(this.at);
    const under = new Set();
    this.kernelOf(channel).forEach((row, i) => row.forEach((_, j) =>
      under.add(`${top + i * this.dilation[0]},${left + j * this.dilation[1]}`)));
    const [height, width] = sizes(pixels);
    const [[above, beneath], [before, after]] = this.border;
    const outside = (i, j) =>
      i < above || i >= height - beneath || j < before || j >= width - after;
    return grid(pixels, {
      classOf: (i, j) =>
        (under.has(`${i},${j}`) ? "under" : "") + (outside(i, j) ? " border" : ""),
    });
  }

  // This channel's sum, and with several of them that of all.
  equation(channel) {
    const own = this.sum(channel, this.at);
    if (this.channels === 1) return ["sum of the products = ", numberOf(own)];
    const others = this.channels - 1;
    return ["sum of the products ", numberOf(own), ` + ${others} other channel${
      others === 1 ? "" : "s"} `, numberOf(this.total(this.at) - own, true), " = ",
    numberOf(this.total(this.at))];
  }

  resultSoFar() {
    const found = this.result();
    const values = Array.from({ length: this.rows }, (_, i) =>
      found.slice(i * this.columns, (i + 1) * this.columns));
    const position = (i, j) => i * this.columns + j;
    return grid(values, {
      classOf: (i, j) => (position(i, j) === this.at ? "now" : ""),
      isKnown: (i, j) => position(i, j) <= this.at,
      pick: (i, j) => this.go(position(i, j)),
    });
  }
}

function sizes(matrix) {
  return [matrix.length, matrix[0].length];
}

// How many positions there are along an axis.
function places(length, taps, stride, dilation) {
  return Math.floor((length - (taps - 1) * dilation - 1) / stride) + 1;
}

// As short as a cell is wide: two decimals at most.
function short(value) {
  const size = Math.abs(value);
  const rounded = Number(value.toFixed(size < 10 ? 2 : size < 100 ? 1 : 0));
  if (rounded === 0 && value !== 0) return "≈0";
  return withMinus(size < 10_000 ? rounded : value.toExponential(0).replace("e+", "e"));
}

function withMinus(number) {
  return `${number}`.replaceAll("-", "−");
}

function numberOf(value, inBrackets = false) {
  const text = withMinus(Number(value.toPrecision(4)));
  return element("span", { class: "number value" }, inBrackets ? bracketed(text) : text);
}

function named(name, drawn) {
  drawn.setAttribute("aria-label", name);
  return element("figure", {}, element("figcaption", {}, name), drawn);
}

// Numbers in cells, or grey cells where there are too many of them.
function grid(values, { classOf = () => "", isKnown = () => true, pick } = {}) {
  const [height, width] = sizes(values);
  const drawn = svg("svg", {
    class: "grid", role: "img", viewBox: `-1 -1 ${width * CELL + 2} ${height * CELL + 2}`,
    width: width * CELL + 2,
  });
  const all = values.flat();
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const shade = (value) => (high > low ? (value - low) / (high - low) : 0);
  values.forEach((row, i) => row.forEach((value, j) => {
    const cell = svg("g", { class: `cell ${classOf(i, j)}` }, square(i, j, {}));
    if (isKnown(i, j)) {
      cell.append(width > MOST_NUMBERS
        ? square(i, j, { class: "shade", "fill-opacity": shade(value) }) : inMiddle(i, j, value));
    }
    if (pick) cell.addEventListener("click", () => pick(i, j));
    drawn.append(cell);
  }));
  // above the lines of their neighbours
  drawn.append(...drawn.querySelectorAll(".under, .now"));
  return drawn;
}

function square(i, j, attributes) {
  return svg("rect", { x: j * CELL, y: i * CELL, width: CELL, height: CELL, ...attributes });
}

function inMiddle(i, j, value) {
  const text = svg("text", { x: (j + 0.5) * CELL, y: (i + 0.5) * CELL + 4 });
  text.textContent = short(value);
  return text;
}
