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
        this.rows = partsOf(state, ...this.chosen).map(([at, title]) => this.#row(at, title));
        const head = ["of", "number", "gradient"].map((text) => element("th", { textContent: text, scope: "col" }));
        const note = isOfPixels(state, this.chosen[0]) ? [element("p", { className: "quiet", textContent: "Its picture shows the weights of the 64 pixels." })] : [];
        field("neuron").replaceChildren(...note, element("table", {}, element("thead", {}, element("tr", {}, ...head)),
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
            gradient.textContent = frame.example ? short(frame.example.gradient[at]) : "";
        }
    }
}

function isOfPixels(state, layer) {
    return state.data === "digits" && layer === 0;
}

// Where the numbers of a neuron stand, and what they are called.
function partsOf(state, layer, neuron) {
    const activation = state.layers[layer]?.activation, sources = isOfPixels(state, layer) ? [] : sourcesOf(state, layer);
    const ofSum = (part, told) => [
        ...sources.map(([from, title]) => [weightAt(state, layer, from, neuron, part), `${told}weight of ${title}`]),
        [biasAt(state, layer, neuron, part), `${told}bias`],
    ];
    const found = ofSum("first", "");
    if (activation === "maxout") found.push(...ofSum("second", "other "));
    if (activation === "prelu") found.push([biasAt(state, layer, neuron, "second"), "slope below 0"]);
    return found;
}

const MOST_TERMS = 10;

function terms(pairs) {
    const shown = pairs.length > MOST_TERMS ? pairs.filter(([, b]) => b).slice(0, 3) : pairs;
    const text = shown.map(([a, b]) => `${short(a)}·${short(b)}`).join(" + ").replaceAll("+ −", "− ");
    return shown === pairs ? text : `${text} + … (${pairs.length} terms)`;
}

// How a sum comes about, as far as it fits into a sentence.
function sumOf(frame, state, layer, neuron, before, part = "first") {
    const { parameters } = frame, sources = sourcesOf(state, layer);
    const pairs = sources.map(([from]) => [parameters[weightAt(state, layer, from, neuron, part)], before[from]]);
    return `${terms(pairs)} + ${short(parameters[biasAt(state, layer, neuron, part)])}`.replaceAll("+ −", "− ");
}

// A sentence for the place that an example has come to.
function tellExample(state, frame, position, chosen) {
    const { example } = frame, depth = state.layers.length;
    if (position === depth + 1) return tellLoss(state, frame);
    const layer = position <= depth ? position : 2 * depth + 2 - position;
    const neuron = chosen && chosen[0] === layer ? chosen[1] : 0, numbers = example.layers[layer];
    const name = neuronName(state, layer, neuron), before = layer ? example.layers[layer - 1].values : example.inputs;
    if (position <= depth) {
        const other = numbers.z2 ? `, the other sum ${sumOf(frame, state, layer, neuron, before, "second")} = ${short(numbers.z2[neuron])}` : "";
        const sum = `z = ${sumOf(frame, state, layer, neuron, before)} = ${short(numbers.z[neuron])}${other}`;
        return `Forward, ${name}: ${sum}, and its value is ${short(numbers.values[neuron])}.`;
    }
    const slope = slopeOf(state, example, layer, neuron), above = layer === depth ? null : example.layers[layer + 1].ofX[neuron];
    const from = above === null ? "from the loss" : `${short(above)} from the layer above, times the slope of the activation`;
    const part = numbers.z2 && example.gradient[biasAt(state, layer, neuron)] === 0 ? "second" : "first";
    const sources = sourcesOf(state, layer).map(([each]) => each);
    const weights = sources.filter((each) => sources.length <= MOST_TERMS || before[each]).slice(0, 3).map((each) => (
        `${short(slope)}·${short(before[each])} = ${short(example.gradient[weightAt(state, layer, each, neuron, part)])}`
    ));
    return `Backward, ${name}: ∂L/∂z = ${short(slope)}, ${from}. Of its weights: ${weights.join(", ")}${sources.length > 3 ? ", …" : ""}.`;
}

function tellLoss(state, { example, surfaces }) {
    const told = state.data === "digits"
        ? `The share of ${example.target}, which it is, is ${short(surfaces.shares[example.target])}`
        : `The output is ${short(example.layers[state.layers.length].values[0])}, the target ${short(example.target)}`;
    return `${told}: the loss is ${short(example.loss)}.`;
}
