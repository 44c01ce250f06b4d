// An output over the epochs. Of many epochs each point is the mean of a stretch, so that there are few.
const POINTS = 512, HEIGHT = 240, LEFT = 64, EDGE = 24;
const plot = document.querySelector("#plot"), shown = document.querySelector("#shown");

class Curve {
    epochs = 0; #whole = []; #stretch = 1; #sum = 0; #count = 0;

    get points() {
        return this.#count ? [...this.#whole, this.#sum / this.#count] : this.#whole;
    }

    add(value) {
        this.epochs++;
        this.#sum += value;
        if (++this.#count < this.#stretch) return;
        this.#whole.push(this.#sum / this.#count);
        this.#sum = this.#count = 0;
        if (this.#whole.length < POINTS) return;
        const later = this.#whole.filter((_, i) => i % 2);
        this.#whole = later.map((value, i) => (this.#whole[2 * i] + value) / 2);
        this.#stretch *= 2;
    }
}

let curves = new Map();  // by "training" and "validation" of each output

function forget() {
    curves = new Map();
    draw();
}

function note(kind, outputs) {
    for (const [name, value] of Object.entries(outputs)) {
        const key = `${kind} ${name}`;
        if (!curves.has(key)) curves.set(key, new Curve());
        curves.get(key).add(value);
    }
}

function added(kind, attributes, text = "") {
    const element = document.createElementNS("http://www.w3.org/2000/svg", kind);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.textContent = text;
    plot.append(element);
}

function draw() {
    const name = shown.value;
    const lines = ["training", "validation"].flatMap((kind) => {
        const curve = curves.get(`${kind} ${name}`);
        return curve ? [[kind, curve.points]] : [];
    });
    const numbers = lines.flatMap(([, points]) => points.filter(Number.isFinite));
    const width = plot.clientWidth;  // so that words are as large on a phone
    plot.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    plot.replaceChildren();
    if (numbers.length === 0) {
        plot.setAttribute("aria-label", "nothing has been trained");
        return;
    }
    const low = Math.min(...numbers), high = Math.max(...numbers);
    const { epochs } = curves.get(`training ${name}`);
    const last = Math.max(...lines.map(([, points]) => points.length - 1), 1);
    const x = (i) => LEFT + i / last * (width - LEFT - EDGE);
    const y = (value) => HEIGHT - EDGE - (value - low) / (high - low || 1) * (HEIGHT - 2 * EDGE);
    const [top, bottom] = [high, low].map((value) => value.toPrecision(4));
    plot.setAttribute("aria-label", `${name} over ${epochs} epochs, between ${bottom} and ${top}`);
    added("text", { x: LEFT - 6, y: EDGE + 4, "text-anchor": "end" }, top);
    added("text", { x: LEFT - 6, y: HEIGHT - EDGE + 4, "text-anchor": "end" }, bottom);
    added("text", { x: width - EDGE, y: HEIGHT - 4, "text-anchor": "end" }, `epoch ${epochs}`);
    for (const [number, [kind, points]] of lines.entries()) {
        const places = points.map((value, i) => Number.isFinite(value) ? `${x(i).toFixed(1)} ${y(value).toFixed(1)}` : "");
        const parts = places.map((place, i) => place && `${places[i - 1] ? "L" : "M"}${place}h0`);
        added("path", { class: kind, d: parts.join("") });
        added("text", { class: kind, x: LEFT + 96 * number, y: 14 }, kind);
    }
}

for (const name of TOLD.outputs) shown.add(new Option(name));
shown.addEventListener("change", draw);
addEventListener("resize", draw);
