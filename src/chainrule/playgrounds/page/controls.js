// The form: every control is an element of HTML with a label, and tells what it does.
function titled(table) {
    return Object.entries(table).map(([name, each]) => [name, each.title]);
}

const OWN = ["own", "your own points"];
const numbers = (values) => values.map((each) => [String(each), String(each)]);
const CONTROLS = [
    ["data", "data", "Data set", [...titled(TOLD.dataSets), OWN], "Where the points lie, and what their targets are."],
    ["data", "noise", "Noise", "range", "How far points stray from their places, in percent."],
    ["data", "split", "Share to train on", "range", "The others test what was learnt, in percent."],
    ["data", "batch", "Batch size", "number", "Rows whose mean gradient makes one step."],
    ["data", "seed", "Seed", "number", "Names the points and the first weights: the same seed draws the same ones."],
    ["training", "rule", "Learning rule", titled(TOLD.rules), "How each layer learns what to change; for digits it is backpropagation."],
    ["training", "beside", "Beside it", [["none", "no other rule"], ...titled(TOLD.rules)], "A second network from the same weights learns by another rule; its output stands below."],
    ["training", "optimizer", "Optimizer", titled(TOLD.optimizers), "How a gradient becomes a step."],
    ["training", "rate", "Learning rate", numbers(RATES), "How long the steps are: too long, and the loss jumps or grows."],
    ["training", "schedule", "Schedule", titled(TOLD.schedules), "What the rate does while it trains."],
    ["training", "span", "over epochs", numbers(SPANS), "How long the schedule takes."],
    ["training", "loss", "Loss", titled(TOLD.losses), "What training makes small; for digits it is the cross-entropy."],
    ["training", "initialisation", "First weights", titled(TOLD.initialisations), "What weights are before the first step."],
    ["training", "l1", "L1 rate", numbers(DECAYS), "Pulls each weight by the same amount towards 0: many become 0."],
    ["training", "l2", "L2 rate", numbers(DECAYS), "Pulls each weight towards 0 by a share of it: weights stay small."],
    ["training", "dropout", "Dropout", numbers(DROPS), "The share of the hidden values that is 0 in a step of training, drawn anew each time: no neuron can rely on another one."],
    ["training", "norm", "Between layers", titled(TOLD.norms), "What is done with the values of hidden layers."],
];
const BOUNDS = { noise: [0, 50, 5], split: [10, 90, 10], batch: [1, 512, 1], seed: [0, 999999999, 1] };
const FRESH = new Set(["rule", "beside", "data", "seed", "initialisation", "features", "depth"]);

// Digits have one rule and one loss, whatever is chosen for points.
const OF_DIGITS = { rule: Object.keys(TOLD.rules)[0], beside: "none", loss: "digits" };

// What the choice made says of itself, after what the control does.
function sentence(name, told, value) {
    const tables = {
        data: TOLD.dataSets, optimizer: TOLD.optimizers, loss: TOLD.losses,
        initialisation: TOLD.initialisations, rule: TOLD.rules, beside: TOLD.rules, schedule: TOLD.schedules, norm: TOLD.norms,
    };
    const chosen = tables[name]?.[value];
    return chosen ? `${told} ${chosen.title}: ${chosen.told}` : told;
}

function control([, name, title, kind, told], state, change) {
    const isList = Array.isArray(kind);
    const made = isList
        ? element("select", { id: name }, ...kind.map(([value, text]) => element("option", { value, textContent: text })))
        : element("input", { id: name, type: kind });
    if (!isList) [made.min, made.max, made.step] = BOUNDS[name];
    made.dataset.told = told;
    made.addEventListener(kind === "range" ? "input" : "change", () => {
        const value = FIELDS[name].read(made.value);
        if (value === undefined) made.value = String(state()[name]);
        else change(name, (next) => { next[name] = value; });
    });
    const label = element("label", { htmlFor: name }, element("span", {}, title, " "));
    if (kind === "range") label.firstChild.append(element("output", { id: `${name}-shown` }));
    label.append(made);
    return label;
}

function makeControls(state, change) {
    for (const each of CONTROLS) field(`${each[0]}-controls`).append(control(each, state, change));
    field("loss").append(element("option", { value: OF_DIGITS.loss, textContent: "cross-entropy", hidden: true }));
    for (const [name, feature] of Object.entries(TOLD.features)) {
        const box = element("input", { type: "checkbox", id: `feature-${name}` });
        box.dataset.told = feature.told;
        box.addEventListener("change", () => change("features", (next) => {
            const all = Object.keys(TOLD.features);
            const wanted = all.filter((other) => field(`feature-${other}`).checked);
            if (wanted.length) next.features = wanted;
        }));
        field("features").append(element("label", {}, box, ` ${feature.title}`));
    }
}

function showControls(state) {
    const shown = state.data === "digits" ? { ...state, ...OF_DIGITS } : state;
    for (const [, name, , kind, told] of CONTROLS) {
        field(name).value = String(shown[name]);
        field(name).dataset.told = sentence(name, told, shown[name]);
        if (kind === "range") field(`${name}-shown`).textContent = `${state[name]} %`;
    }
    for (const name of Object.keys(TOLD.features)) {
        field(`feature-${name}`).checked = state.features.includes(name);
    }
    const depth = state.layers.length;
    field("depth").textContent = `${depth} hidden ${depth === 1 ? "layer" : "layers"}`;
    field("fewer-layers").disabled = depth === 0;
    field("more-layers").disabled = depth === MOST_LAYERS;
    const isAlone = state.beside === "none" || state.data === "digits";
    for (const part of ["beside-part", "beside-key"]) field(part).hidden = isAlone;
    field("beside-title").textContent = TOLD.rules[state.beside]?.title ?? "";
    field("span").disabled = state.schedule === "constant";
    field("accuracy-part").hidden = TOLD.regressions.includes(state.data);
    field("output").classList.toggle("draws", state.data === "own");
    showForDigits(state.data === "digits");
}

// Digits have no plane and no features.
function showForDigits(isDigits) {
    for (const part of ["output", "show-test-part", "features"]) field(part).hidden = isDigits;
    field("digits-part").hidden = !isDigits;
    for (const name of Object.keys(OF_DIGITS)) field(name).disabled = isDigits;
}

// The sentence of what is pointed at or has the focus; a screen reader hears it with the control.
function explainControls() {
    const tell = (event) => {
        const found = event.target.closest?.("[data-told]") ?? event.target.querySelector?.(":scope > [data-told]");
        if (!found) return;
        field("told").textContent = found.dataset.told;
        found.setAttribute("aria-description", found.dataset.told);
    };
    for (const name of ["focusin", "pointerover", "change"]) document.addEventListener(name, tell);
}
