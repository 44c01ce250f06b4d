// An output over the epochs. Of many epochs each point is the mean of a stretch, so that there are few.
const POINTS = 512, WIDTH = 640, HEIGHT = 240, LEFT = 64, EDGE = 24;
const plot = document.querySelector("#plot"), shown = document.querySelector("#shown");

class Curve {
    points = []; stretch = 1; #sum = 0; #count = 0;

    add(value) {
        this.#sum += value;
        if (++this.#count < this.stretch) return;
        this.points.push(this.#sum / this.#count);
        this.#sum = this.#count = 0;
        if (this.points.length < POINTS) return;
        const half = this.points.filter((_, i) => i % 2);
        this.points = half.map((later, i) => (this.points[2 * i] + later) / 2);
        this.stretch *= 2;
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
        return curve && curve.points.length ? [[kind, curve]] : [];
    });
    const numbers = lines.flatMap(([, { points }]) => points.filter(Number.isFinite));
    plot.replaceChildren();
    if (numbers.length === 0) {
        plot.setAttribute("aria-label", "nothing has been trained");
        return;
    }
    const low = Math.min(...numbers), high = Math.max(...numbers);
    const epochs = Math.max(...lines.map(([, { points, stretch }]) => points.length * stretch));
    const last = Math.max(...lines.map(([, { points }]) => points.length - 1), 1);
    const x = (i) => LEFT + i / last * (WIDTH - LEFT - EDGE);
    const y = (value) => HEIGHT - EDGE - (value - low) / (high - low || 1) * (HEIGHT - 2 * EDGE);
    const [top, bottom] = [high, low].map((value) => value.toPrecision(4));
    plot.setAttribute("aria-label", `${name} over ${epochs} epochs, between ${bottom} and ${top}`);
    added("text", { x: LEFT - 6, y: EDGE + 4, "text-anchor": "end" }, top);
    added("text", { x: LEFT - 6, y: HEIGHT - EDGE + 4, "text-anchor": "end" }, bottom);
    added("text", { x: WIDTH - EDGE, y: HEIGHT - 4, "text-anchor": "end" }, `epoch ${epochs}`);
    for (const [number, [kind, { points }]] of lines.entries()) {
        const places = points.map((value, i) => Number.isFinite(value) ? `${x(i).toFixed(1)} ${y(value).toFixed(1)}` : "");
        const parts = places.map((place, i) => place && `${places[i - 1] ? "L" : "M"}${place}h0`);
        added("path", { class: kind, d: parts.join("") });
        added("text", { class: kind, x: LEFT + 96 * number, y: 14 }, kind);
    }
}

for (const name of TOLD.outputs) shown.add(new Option(name));
shown.addEventListener("change", draw);
