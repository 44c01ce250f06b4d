export async function load({ rows = 0, validationRows = 0, fused = fuses(), wasm } = {}) {
    if (PROGRAM.readsRows) checkRows(rows);
    return new Training(...(await compiled(fused, wasm)), rows, validationRows);
}

export class Training {
    #calls; #memory; #places; #training; #validation; #batch; #job; #history; #exchange;
    #outputs; #results;

    constructor(module, chosen, rows, validationRows) {
        this.#places = new Places(chosen);
        this.#training = this.#dataSet(rows, PROGRAM.inputs);
        this.#validation = this.#dataSet(validationRows, PROGRAM.inputs);
        this.#batch = this.#dataSet(PROGRAM.batch, [...PROGRAM.inputs, ...PROGRAM.predicts]);
        this.#results = this.#places.take(PROGRAM.batch * (PROGRAM.result ? bytesIn(PROGRAM.result) : 0));
        this.#job = this.#places.take(8 * (2 * (PROGRAM.inputs.length + 2) + 3));
        this.#history = this.#places.take(16 * PROGRAM.columns);
        this.#outputs = this.#places.take(8 * PROGRAM.outputs.length);
        this.#exchange = this.#places.take(Math.max(...PROGRAM.tensors.map(bytesIn)));
        this.#memory = this.#places.memory();
        this.#calls = instance(module, this.#memory);
        this.init();
    }

    get memoryBytes() {
        return this.#memory.buffer.byteLength;
    }

    init(seed = PROGRAM.seed) {
        this.#call("init", BigInt(seed));
    }

    get(name) {
        const [number, tensor] = named(PROGRAM.tensors, name);
        this.#call("get", number, this.#exchange);
        return this.#view(KINDS[tensor.dtype], this.#exchange, elements(tensor)).slice();
    }

    set(name, values) {
        const [number, tensor] = named(PROGRAM.tensors, name);
        const wanted = KINDS[tensor.dtype], given = wanted.from(values);
        if (given.length !== elements(tensor)) {
            throw new RangeError(`${name} has ${elements(tensor)} elements, not ${given.length}`);
        }
        this.#view(wanted, this.#exchange, given.length).set(given);
        this.#call("set", number, this.#exchange);
    }

    state() {
        const parts = PROGRAM.tensors.map((tensor) => bytesOf(this.get(tensor.name)));
        const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
        let at = 0;
        for (const part of parts) {
            whole.set(part, at);
            at += part.length;
        }
        return whole;
    }

    restore(bytes) {
        const size = PROGRAM.tensors.reduce((sum, each) => sum + bytesIn(each), 0);
        if (bytes.length !== size) throw new RangeError(`a state has ${size} bytes`);
        let at = 0;
        for (const tensor of PROGRAM.tensors) {
            const kind = KINDS[tensor.dtype], part = bytes.slice(at, at + bytesIn(tensor));
            this.set(tensor.name, new kind(part.buffer));
            at += bytesIn(tensor);
        }
    }

    data(training, validation = null) {
        if (!PROGRAM.readsRows) throw new Error("the steps of this program read no rows");
        this.#put(this.#training, PROGRAM.inputs, training);
        if (validation) this.#put(this.#validation, PROGRAM.inputs, validation);
        else this.#validation.rows = 0;
    }

    *train(epochs = PROGRAM.epochs, validates = PROGRAM.validates) {
        for (let epoch = 1; epoch <= epochs; epoch++) {
            const data = PROGRAM.readsRows
                ? [...this.#words(this.#training), ...this.#words(this.#validation)]
                : [validates ? 1 : 0];
            this.#write(this.#job, [...data, 1, this.#history, epoch < epochs ? 1 : 0]);
            this.#call("train", this.#job);
            yield this.#record();
            if (this.#calls.ended && this.#calls.ended(this.#places.arena)) return;
        }
    }

    step(batch) {
        if (PROGRAM.readsRows) this.#put(this.#batch, PROGRAM.inputs, batch);
        return this.#computed("step", this.#batch);
    }

    evaluate(which = "validation") {
        return this.#computed("evaluate", which === "training" ? this.#training : this.#validation);
    }

    predict(inputs) {
        if (!PROGRAM.result) throw new Error("this program was exported without predict");
        const rows = rowsOf(PROGRAM.predicts, inputs), kind = KINDS[PROGRAM.result.dtype];
        const each = elements(PROGRAM.result), results = new kind(rows * each);
        const most = PROGRAM.byRow ? PROGRAM.batch : rows;
        for (let row = 0; row < rows; row += most) {
            const part = rowsFrom(PROGRAM.predicts, inputs, row, Math.min(row + most, rows));
            const count = this.#put(this.#batch, PROGRAM.predicts, part);
            const places = PROGRAM.predicts.map(({ name }) => this.#batch.places[name]);
            this.#call("predict", ...places, BigInt(count), this.#results);
            results.set(this.#view(kind, this.#results, count * each), row * each);
        }
        return results;
    }

    #dataSet(most, arrays) {
        const places = {};
        for (const each of arrays) places[each.name] ??= this.#places.take(most * bytesIn(each) + LINE);
        return { most, places, rows: 0, bytes: 0, at: this.#places.take(8 * (PROGRAM.inputs.length + 2)) };
    }

    #put(set, arrays, given) {
        const rows = rowsOf(arrays, given);
        if (rows < 1 || rows > set.most) {
            throw new RangeError(`there is room for 1 to ${set.most} rows, not for ${rows}`);
        }
        set.rows = rows;
        set.bytes = 0;
        for (const [i, each] of arrays.entries()) {
            const values = given[each.name], small = each.bytes && values instanceof Uint8Array;
            const kind = small ? Uint8Array : KINDS[each.dtype];
            if (small) set.bytes += 2 ** i;
            this.#view(kind, set.places[each.name], values.length).set(values);
        }
        return rows;
    }

    #words(set) {
        if (set.rows === 0) return new Array(PROGRAM.inputs.length + 2).fill(0);
        return [set.rows, ...PROGRAM.inputs.map(({ name }) => set.places[name]), set.bytes];
    }

    #computed(name, set) {
        if (PROGRAM.readsRows) {
            this.#write(set.at, this.#words(set));
            this.#call(name, set.at, this.#outputs);
        } else {
            this.#call(name, this.#outputs);
        }
        const found = this.#view(Float64Array, this.#outputs, PROGRAM.outputs.length);
        return Object.fromEntries(PROGRAM.outputs.map((each, i) => [each, found[i]]));
    }

    #record() {
        const found = this.#view(Float64Array, this.#history, PROGRAM.columns);
        const half = PROGRAM.outputs.length + 1;
        const means = (start) => Object.fromEntries(
            PROGRAM.outputs.map((each, i) => [each, found[start + 1 + i] / found[start]]),
        );
        const held = { rows: found[half], outputs: means(half) };
        return { rows: found[0], outputs: means(0), validation: held.rows ? held : null };
    }

    #write(place, words) {
        this.#view(BigInt64Array, place, words.length).set(words.map(BigInt));
    }

    #view(kind, place, count) {
        return new kind(this.#memory.buffer, place, count);
    }

    #call(name, ...given) {
        checkResult(name, this.#calls[name](this.#places.arena, ...given));
    }
}

function bytesOf(values) {
    return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function named(all, name) {
    const number = all.findIndex((each) => each.name === name);
    if (number < 0) throw new RangeError(`there is no ${name}`);
    return [number, all[number]];
}

function rowsFrom(arrays, given, start, end) {
    return Object.fromEntries(arrays.map((each) => {
        const size = elements(each);
        return [each.name, given[each.name].subarray(start * size, end * size)];
    }));
}
