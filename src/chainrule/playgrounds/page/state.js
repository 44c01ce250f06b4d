// What is chosen, and the same as the fragment of an address: nothing of that is believed.
const MOST_TEXT = 6000, MOST_LAYERS = 6, MOST_NEURONS = 8, MOST_OWN = 512;
const RATES = [1e-5, 1e-4, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10];
const SPANS = [30, 100, 300, 1000, 3000], DROPS = [0, 0.05, 0.1, 0.2, 0.3, 0.5];
const DECAYS = [0, 0.0001, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1];

function oneOf(values) {
    return { write: String, read: (text) => values.find((each) => String(each) === text) };
}

function whole(least, most) {
    return {
        write: String,
        read(text) {
            const number = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
            return number >= least && number <= most ? number : undefined;
        },
    };
}

// All parts of a text, if there are not too many and each can be read.
function listOf(part, most, least = 0) {
    return {
        write: (values) => values.map(part.write).join(","),
        read(text) {
            const parts = text === "" ? [] : text.split(",", most + 1);
            if (parts.length > most || parts.length < least) return undefined;
            const found = parts.map(part.read);
            return found.includes(undefined) ? undefined : found;
        },
    };
}

const LAYER = {
    write: (layer) => `${layer.size}${layer.activation}`,
    read(text) {
        const found = /^([1-8])([a-z]{1,12})$/.exec(text);
        if (!found || !Object.hasOwn(TOLD.activations, found[2])) return undefined;
        return { size: Number(found[1]), activation: found[2] };
    },
};

const POINT = {
    write: (point) => point.map((each) => Math.round(100 * each)).join("_"),
    read(text) {
        const found = /^(-?\d{1,3})_(-?\d{1,3})_(-?\d{1,3})$/.exec(text);
        if (!found) return undefined;
        const point = found.slice(1).map((each) => Number(each) / 100);
        return point.every((each) => Math.abs(each) <= EDGE) ? point : undefined;
    },
};

const FIELDS = {
    data: oneOf([...Object.keys(TOLD.dataSets), "own"]),
    noise: whole(0, 50),
    split: whole(10, 90),
    seed: whole(0, 999_999_999),
    features: listOf(oneOf(Object.keys(TOLD.features)), 8, 1),
    layers: listOf(LAYER, MOST_LAYERS),
    initialisation: oneOf(Object.keys(TOLD.initialisations)),
    optimizer: oneOf(Object.keys(TOLD.optimizers)),
    rate: oneOf(RATES),
    rule: oneOf(Object.keys(TOLD.rules)),
    beside: oneOf(["none", ...Object.keys(TOLD.rules)]),
    schedule: oneOf(Object.keys(TOLD.schedules)),
    span: oneOf(SPANS),
    norm: oneOf(Object.keys(TOLD.norms)),
    dropout: oneOf(DROPS),
    loss: oneOf(Object.keys(TOLD.losses)),
    batch: whole(1, 512),
    l1: oneOf(DECAYS),
    l2: oneOf(DECAYS),
    own: listOf(POINT, MOST_OWN),
};

function firstState() {
    return {
        data: "circle", noise: 0, split: 50, seed: 1, features: ["x1", "x2"],
        layers: [{ size: 4, activation: "tanh" }, { size: 2, activation: "tanh" }],
        initialisation: "uniform", optimizer: "sgd", rate: 0.03, loss: "squared", batch: 10,
        rule: "backprop", beside: "none", schedule: "constant", span: 300, norm: "none", dropout: 0, l1: 0, l2: 0, own: [],
    };
}

function fragmentOf(state) {
    const usual = firstState();
    return Object.keys(FIELDS)
        .map((name) => [name, FIELDS[name].write(state[name]), FIELDS[name].write(usual[name])])
        .filter(([, text, other]) => text !== other)
        .map(([name, text]) => `${name}=${text}`).join("&");
}

// The state, and how many parts of the text could not be used.
function stateOf(fragment) {
    const state = firstState();
    if (fragment.length > MOST_TEXT) return { state, refused: 1 };
    let refused = 0;
    for (const part of fragment.split("&").filter(Boolean)) {
        const [name, text = ""] = part.split("=", 2);
        const value = Object.hasOwn(FIELDS, name) ? FIELDS[name].read(text) : undefined;
        if (value === undefined) refused += 1;
        else state[name] = value;
    }
    if (new Set(state.features).size < state.features.length) {
        state.features = [...new Set(state.features)];
    }
    return { state, refused };
}

function copyOf(state) {
    return structuredClone(state);
}
