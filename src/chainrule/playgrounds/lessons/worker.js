// Behind the exported program: trains it for the page, predicts, and calls what else there is.
let training = null, beside = null, told = null, read = 0, pieces = 0, last = null;

function arraysOf(arrays) {
    return Object.fromEntries(Object.entries(arrays).map(([name, { kind, text }]) => {
        const wanted = PROGRAM.inputs.find((each) => each.name === name)?.dtype ?? kind;
        const values = new KINDS[kind](bytesOfText(text).buffer);
        return [name, wanted === kind ? values : KINDS[wanted].from(values)];
    }));
}

// Functions in one memory, given arrays by name and the parameters that are trained.
class Beside {
    constructor(described) {
        this.places = new Places({ end: described.at(-1)?.end ?? 0 });
        this.functions = described.map((each) => ({
            ...each, at: [...each.inputs, ...each.outputs].map((array) => (
                this.places.take((array.rows ? each.mostRows : 1) * bytesIn(array) + LINE)
            )),
        }));
        this.memory = this.places.memory();
        for (const each of this.functions) {
            each.calls = instance(new WebAssembly.Module(bytesOfText(each.wasm)), this.memory);
            checkResult("init", each.calls.init(each.arena));
        }
    }

    view(array, at, count) {
        return new KINDS[array.dtype](this.memory.buffer, at, count);
    }

    call(name, inputs) {
        const found = this.functions.find((each) => each.name === name);
        if (!found) throw new RangeError(`there is no ${name}`);
        let rows = 1;
        const values = found.inputs.map((each) => (each.name in found.slots ? training.get(found.slots[each.name]) : inputs[each.name]));
        found.inputs.forEach((each, i) => {
            const count = values[i].length / elements(each);
            if (each.rows) rows = count;
            if (!(values[i] instanceof KINDS[each.dtype]) || !Number.isInteger(count) || count < 1 || count > (each.rows ? found.mostRows : 1)) {
                throw new RangeError(`${name}: ${each.name} has ${values[i].length} elements`);
            }
            this.view(each, found.at[i], values[i].length).set(values[i]);
        });
        const given = found.at.slice(0, found.inputs.length), results = found.at.slice(found.inputs.length);
        checkResult(name, found.calls.call(found.arena, ...given, ...(found.countsRows ? [BigInt(rows)] : []), ...results));
        return Object.fromEntries(found.outputs.map((each, i) => [each.name, {
            shape: each.shape, values: this.view(each, results[i], (each.rows ? rows : 1) * elements(each)).slice(),
        }]));
    }
}

function begin(trained) {
    read = pieces = 0;
    last = null;
    training.init();
    if (trained) for (const [name, values] of Object.entries(told.state)) training.set(name, values);
}

// The rows of the training data from here on that are read before something is shown.
function nextPiece() {
    if (told.piece === 0) return told.rows;
    const start = read % told.rows, end = Math.min(start + told.piece, told.rows);
    training.data(rowsFrom(PROGRAM.inputs, told.train, start, end), told.held ? told.test : null);
    return end - start;
}

function answer({ number, calls }) {
    const results = {};
    const surface = told.plane ? training.predict({ [told.x]: told.plane }) : null;
    for (const { name, inputs: given, told: kept } of calls) {
        const inputs = name === "paint" ? { ...given, shares: surface } : given;
        const found = name === "predict" ? training.predict(inputs) : { ...beside.call(name, inputs), told: kept };
        (results[name] ??= []).push(found);
    }
    const judges = told.judges && told.held;
    postMessage({
        kind: "frame", number, epoch: read / told.rows, pieces, results,
        train: told.judges ? training.evaluate("training") : last, test: told.held ? training.evaluate("validation") : null,
        tested: judges ? training.predict({ [told.x]: told.test[told.x] }) : new Float32Array(),
        surface,
    });
}

const ACTIONS = {
    async start({ told: given, wasm }) {
        const parts = ["train", "test", "state"].map((name) => [name, arraysOf(given[name])]);
        told = { ...given, ...Object.fromEntries(parts), plane: given.plane && Float32Array.from(given.plane) };
        told.rows = rowsOf(PROGRAM.inputs, told.train);
        told.held = rowsOf(PROGRAM.inputs, told.test);
        const rows = told.piece || told.rows;
        training = await load({ rows, validationRows: told.held, fused: false, wasm: [bytesOfText(wasm)] });
        training.data(rowsFrom(PROGRAM.inputs, told.train, 0, Math.min(rows, told.rows)), told.held ? told.test : null);
        beside = new Beside(told.beside);
        begin(told.begins);
        postMessage({ kind: "ready" });
    },
    advance(request) {
        if (request.rate) training.set("lr", [request.rate]);
        const rows = nextPiece();
        for (const { outputs } of training.train(1)) last = outputs;
        read += rows;
        pieces += 1;
        answer(request);
    },
    look: answer,
    reset(request) {
        begin(request.trained);
        answer(request);
    },
};
