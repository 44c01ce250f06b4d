// The numbers of one neuron, which can be changed, and of one example, step by step.
class Panel {
    constructor(setParameter) {
        this.setParameter = setParameter;
        this.chosen = null;
    }

    build(state) {
        this.state = state;
        const [layer, neuron] = this.chosen ?? [0, 0];
        if (layer > state.layers.length || neuron >= sizeOf(state, layer)) this.chosen = null;
        this.rows = [];
        if (!this.chosen) {
            field("neuron-title").textContent = "A neuron";
            field("neuron").replaceChildren(element("p", { className: "quiet", textContent: "None is chosen: press one in the network." }));
            return;
        }
        const name = neuronName(state, ...this.chosen);
        field("neuron-title").textContent = name[0].toUpperCase() + name.slice(1);
        const parts = sourcesOf(state, this.chosen[0]).map(([from, title]) => [weightAt(this.chosen[0], from, this.chosen[1]), `weight of ${title}`]);
        parts.push([biasAt(...this.chosen), "bias"]);
        this.rows = parts.map(([at, title]) => this.#row(at, title));
        const head = ["of", "number", "gradient"].map((text) => element("th", { textContent: text, scope: "col" }));
        field("neuron").replaceChildren(element("table", {}, element("thead", {}, element("tr", {}, ...head)),
            element("tbody", {}, ...this.rows.map((row) => row.line))));
    }

    #row(at, title) {
        const input = element("input", { type: "number", step: "0.1", min: -100, max: 100, id: `parameter-${at}` });
        input.dataset.told = "A number of the network; what is typed here holds at once.";
        input.addEventListener("change", () => {
            const number = input.valueAsNumber;
            if (Number.isFinite(number) && Math.abs(number) <= 100) this.setParameter(at, number);
        });
        const label = element("label", { htmlFor: input.id, textContent: title }), gradient = element("td", { className: "gradient" });
        const line = element("tr", {}, element("th", { scope: "row" }, label), element("td", {}, input), gradient);
        return { at, input, gradient, line };
    }

    show(frame) {
        for (const { at, input, gradient } of this.rows) {
            if (document.activeElement !== input) input.value = frame.parameters[at].toFixed(4);
            const found = frame.example?.layers[Math.floor(at / BLOCK)];
            gradient.textContent = found ? short(found.ofBlock[at % BLOCK]) : "";
        }
    }
}

function terms(pairs) {
    return pairs.map(([a, b]) => `${short(a)}·${short(b)}`).join(" + ").replaceAll("+ −", "− ");
}

// A sentence for the place that an example has come to.
function tellExample(state, frame, position, chosen) {
    const { example, parameters } = frame, depth = state.layers.length;
    if (position === depth + 1) {
        return `The output is ${short(example.layers[depth].values[0])}, the target ${short(example.target)}: the loss is ${short(example.loss)}.`;
    }
    const layer = position <= depth ? position : 2 * depth + 2 - position;
    const neuron = chosen && chosen[0] === layer ? chosen[1] : 0, numbers = example.layers[layer];
    const name = neuronName(state, layer, neuron), before = layer ? example.layers[layer - 1].values : example.inputs;
    const sources = sourcesOf(state, layer).map(([from]) => from);
    const pairs = sources.map((from) => [parameters[weightAt(layer, from, neuron)], before[from]]);
    const bias = parameters[biasAt(layer, neuron)];
    if (position <= depth) {
        const sum = `${terms(pairs)} + ${short(bias)}`.replaceAll("+ −", "− ");
        return `Forward, ${name}: z = ${sum} = ${short(numbers.z[neuron])}, and its value is ${short(numbers.values[neuron])}.`;
    }
    const slope = numbers.ofZ[neuron], above = layer === depth ? null : example.layers[layer + 1].ofX[neuron];
    const from = above === null ? "from the loss" : `${short(above)} from the layer above, times the slope of the activation`;
    const weights = sources.slice(0, 3).map((each) => `${short(slope)}·${short(before[each])} = ${short(numbers.ofBlock[WIDTH * neuron + each])}`);
    return `Backward, ${name}: ∂L/∂z = ${short(slope)}, ${from}. Of its weights: ${weights.join(", ")}${sources.length > 3 ? ", …" : ""}.`;
}
