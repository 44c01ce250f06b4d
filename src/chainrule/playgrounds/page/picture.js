// The network: a column of neurons for each layer, and a line for each weight.
const SVG = "http://www.w3.org/2000/svg";

function weightAt(state, layer, from, to, part = "first") {
    const { at, inputs } = layoutOf(state).layers[layer][part];
    return at + inputs * to + from;
}

function biasAt(state, layer, to, part = "first") {
    return layoutOf(state).layers[layer][part].biases + to;
}

// Where the inputs of a layer stand in its block, and what they are called.
function sourcesOf(state, layer) {
    if (layer > 0) return Array.from({ length: state.layers[layer - 1].size }, (_, i) => [i, `layer ${layer}, neuron ${i + 1}`]);
    if (state.data === "digits") return Array.from({ length: PIXELS }, (_, i) => [i, `pixel ${i % 8 + 1} of row ${Math.floor(i / 8) + 1}`]);
    const all = Object.keys(TOLD.features);
    return state.features.map((name) => [all.indexOf(name), TOLD.features[name].title]);
}

function sizeOf(state, layer) {
    return sizesOf(state)[layer + 1];
}

function neuronName(state, layer, neuron) {
    if (layer < state.layers.length) return `layer ${layer + 1}, neuron ${neuron + 1}`;
    return state.data === "digits" ? `output for ${neuron}` : "output";
}

class Picture {
    constructor(choose, change) {
        this.choose = choose;
        this.change = change;
        new ResizeObserver(() => this.state && this.drawLines()).observe(field("picture"));
    }

    build(state) {
        this.state = state;
        const focused = document.activeElement?.id;
        this.links = document.createElementNS(SVG, "svg");
        this.links.id = "links";
        this.links.setAttribute("aria-hidden", "true");
        const columns = [this.#features(), ...state.layers.map((_, i) => this.#layer(i)), this.#output()];
        this.net = element("div", { id: "net" }, this.links, ...columns);
        field("picture").replaceChildren(this.net);
        if (focused && !document.activeElement?.id) field(focused)?.focus();
        this.drawLines();
    }

    #column(top, neurons) {
        return element("div", { className: "layer" }, element("div", { className: "top" }, ...top), ...neurons);
    }

    #features() {
        if (this.state.data === "digits") return this.#pixels();
        this.inputs = this.state.features.map((name) => {
            const box = element("span", { className: "neuron" }, element("canvas"));
            return [box, element("span", { className: "input" }, element("span", {}, TOLD.features[name].title), box)];
        });
        const column = this.#column([element("span", {}, "features")], this.inputs.map(([, whole]) => whole));
        this.inputs = this.inputs.map(([box]) => box);
        this.neurons = [];
        return column;
    }

    // All pixels are one picture: that of the example.
    #pixels() {
        const box = element("span", { className: "neuron" }, element("canvas"));
        this.inputs = [box];
        this.neurons = [];
        return this.#column([element("span", {}, "64 pixels")], [box]);
    }

    #neuron(layer, neuron) {
        const name = neuronName(this.state, layer, neuron);
        const made = element("button", { type: "button", className: "neuron", id: `neuron-${layer}-${neuron}` },
            element("canvas"), element("span", { className: "heard", textContent: `${name} ` }));
        made.setAttribute("aria-pressed", "false");
        made.dataset.told = this.#told(layer);
        made.addEventListener("click", () => this.choose([layer, neuron]));
        return made;
    }

    #told(layer) {
        if (this.state.data !== "digits") return "What this neuron answers over the plane. Press it for its weights.";
        return layer === 0 && this.state.layers.length
            ? "What this neuron looks for: its weights, each at its pixel. Press it for its numbers."
            : "What this neuron answers to the example. Press it for its numbers.";
    }

    #layer(layer) {
        const { size, activation } = this.state.layers[layer], name = `layer ${layer + 1}`;
        this.neurons.push(Array.from({ length: size }, (_, i) => this.#neuron(layer, i)));
        const button = (sign, id, told, by, disabled) => {
            const made = element("button", { type: "button", textContent: sign, id: `${id}-${layer}`, disabled });
            made.setAttribute("aria-label", `${told} ${name}`);
            made.addEventListener("click", () => this.change("size", (next) => { next.layers[layer].size += by; }));
            return made;
        };
        const select = element("select", { id: `activation-${layer}`, ariaLabel: `Activation of ${name}` },
            ...titled(TOLD.activations).map(([value, text]) => element("option", { value, textContent: text })));
        select.value = activation;
        select.dataset.told = `The activation of the layer. ${TOLD.activations[activation].title}: ${TOLD.activations[activation].told}`;
        select.addEventListener("change", () => {
            const value = select.value;
            this.change("activation", (next) => { next.layers[layer].activation = value; });
        });
        const top = [
            element("span", {}, `${size} ${size === 1 ? "neuron" : "neurons"}`),
            element("span", {}, button("−", "fewer", "Remove a neuron of", -1, size === 1), " ",
                button("+", "more", "Add a neuron to", 1, size === MOST_NEURONS)),
            select,
        ];
        return this.#column(top, this.neurons[layer]);
    }

    #output() {
        const layer = this.state.layers.length;
        const count = sizeOf(this.state, layer);
        this.neurons.push(Array.from({ length: count }, (_, i) => this.#neuron(layer, i)));
        const named = count === 1 ? this.neurons[layer] : this.neurons[layer].map((each, i) => (
            element("span", { className: "input class" }, each, element("span", {}, String(i)))
        ));
        return this.#column([element("span", {}, "output")], named);
    }

    // A line and a wider one that can be hit, for each weight.
    drawLines() {
        const frame = this.net.getBoundingClientRect(), parts = [];
        this.lines = [];
        this.neurons.forEach((column, layer) => column.forEach((end, to) => {
            const before = layer ? this.neurons[layer - 1] : this.inputs, sources = sourcesOf(this.state, layer);
            before.forEach((_, i) => {
                const from = before.length === sources.length ? sources[i][0] : null;  // or of all pixels
                const a = before[i].getBoundingClientRect(), b = end.getBoundingClientRect();
                const [x, y, u, v] = [a.right - frame.left, a.top + a.height / 2 - frame.top, b.left - frame.left, b.top + b.height / 2 - frame.top];
                const middle = (x + u) / 2, path = `M${x} ${y}C${middle} ${y} ${middle} ${v} ${u} ${v}`;
                const line = document.createElementNS(SVG, "path"), touch = document.createElementNS(SVG, "path");
                line.setAttribute("d", path);
                line.setAttribute("class", "link");
                touch.setAttribute("d", path);
                touch.setAttribute("class", "touch");
                touch.addEventListener("click", () => this.choose([layer, to], from ?? undefined));
                parts.push(line, touch);
                if (from === null) line.setAttribute("class", "link many");
                else this.lines.push({ line, at: weightAt(this.state, layer, from, to), shown: "" });
            });
        }));
        this.links.replaceChildren(...parts);
        if (this.parameters) this.showWeights(this.parameters);
    }

    showWeights(parameters) {
        this.parameters = parameters;
        for (const each of this.lines) {
            const weight = parameters[each.at] ?? 0, width = Math.min(7, 0.5 + 2 * Math.abs(weight)).toFixed(1);
            const shown = `link ${weight < 0 ? "minus" : "plus"} ${width}`;
            if (shown === each.shown) continue;
            each.shown = shown;
            each.line.setAttribute("class", weight < 0 ? "link minus" : "link plus");
            each.line.setAttribute("stroke-width", width);
        }
    }

    show(frame, chosen) {
        const { surfaces } = frame;
        if (surfaces.layers.some((layer, i) => layer.length !== this.state.layers[i]?.size)) return;
        surfaces.features?.forEach((bytes, i) => this.inputs[i] && drawSurface(this.inputs[i].firstChild, bytes));
        [...surfaces.layers, surfaces.outputs ?? [surfaces.output]].forEach((layer, i) => layer.forEach((bytes, k) => {
            const button = this.neurons[i]?.[k];
            if (!button) return;  // an answer to what was chosen before
            drawSurface(button.firstChild, bytes);
            const pressed = String(Boolean(chosen) && chosen[0] === i && chosen[1] === k);
            if (button.getAttribute("aria-pressed") !== pressed) button.setAttribute("aria-pressed", pressed);
        }));
    }

    // Values above the neurons and gradients below, as far as an example has come.
    showNumbers(example, position) {
        for (const old of this.net.querySelectorAll(".numbers")) old.remove();
        if (!example) return;
        const depth = this.state.layers.length, put = (box, kind, number) => {
            box.append(element("span", { className: `numbers ${kind}`, textContent: `${short(number)} ` }));
        };
        const sources = sourcesOf(this.state, 0);
        if (this.inputs.length === sources.length) this.inputs.forEach((box, i) => put(box, "value", example.inputs[sources[i][0]]));
        this.neurons.forEach((column, layer) => column.forEach((box, neuron) => {
            if (position >= layer) put(box, "value", example.layers[layer].values[neuron]);
            if (position >= 2 * depth + 2 - layer) put(box, "gradient", slopeOf(this.state, example, layer, neuron));
        }));
    }
}

// The gradient of a neuron's sum for one row: that of its bias, or of the bias of its other sum.
function slopeOf(state, { gradient }, layer, neuron) {
    const first = gradient[biasAt(state, layer, neuron)];
    const isMaxout = state.layers[layer]?.activation === "maxout";
    return first === 0 && isMaxout ? gradient[biasAt(state, layer, neuron, "second")] : first;
}

function short(number) {
    if (number === 0) return "0";
    const size = Math.abs(number);
    return size >= 0.005 && size < 1000 ? number.toFixed(2).replace("-", "−") : number.toExponential(0).replaceAll("-", "−");
}
