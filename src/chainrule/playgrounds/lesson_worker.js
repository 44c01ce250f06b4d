// Behind the exported program: trains it for the page, and predicts.
let training = null, epoch = 0, told = null;

function numbersOf({ kind, text }) {
    const bytes = Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
    return new KINDS[kind](bytes.buffer);
}

function arraysOf(arrays) {
    return Object.fromEntries(Object.entries(arrays).map(([name, each]) => [name, numbersOf(each)]));
}

function begin(trained) {
    epoch = 0;
    training.init();
    if (trained) for (const [name, values] of Object.entries(told.state)) training.set(name, values);
}

// The prediction of each row of what can be predicted from.
function predicted(x) {
    return training.predict({ [told.x]: x });
}

function answer({ number, drawn }) {
    const count = told.test[told.y].length;
    postMessage({
        kind: "frame", number, epoch,
        train: training.evaluate("training"), test: count ? training.evaluate("validation") : null,
        tested: count ? predicted(told.test[told.x]) : new Float32Array(),
        surface: told.plane ? predicted(told.plane) : null, drawn: drawn ? predicted(drawn) : null,
    });
}

const ACTIONS = {
    async start({ told: given, wasm }) {
        const parts = ["train", "test", "state"].map((name) => [name, arraysOf(given[name])]);
        told = { ...given, ...Object.fromEntries(parts), plane: given.plane && Float32Array.from(given.plane) };
        const rows = told.train[told.y].length, validationRows = told.test[told.y].length;
        const bytes = Uint8Array.from(atob(wasm), (each) => each.charCodeAt(0));
        training = await load({ rows, validationRows, fused: false, wasm: [bytes] });
        training.data(told.train, validationRows ? told.test : null);
        begin(told.begins);
        postMessage({ kind: "ready" });
    },
    advance(request) {
        const end = performance.now() + request.milliseconds;
        if (request.rate) training.set("lr", [request.rate]);
        for (const _ of training.train(request.epochs)) {
            epoch += 1;
            if (performance.now() > end) break;
        }
        answer(request);
    },
    look: answer,
    reset(request) {
        begin(request.trained);
        answer(request);
    },
};

onmessage = ({ data }) => ACTIONS[data.kind](data);
