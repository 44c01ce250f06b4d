// The network: which function reads which array, and nothing that computes.
class Network {
    constructor(kernels, data, tables) {
        Object.assign(this, { kernels, data, tables });
        const all = (DEEPEST + 1) * BLOCK, most = Math.max(data.most, data.plane.count);
        const array = (count, dtype) => kernels.array(count, dtype);
        this.seed = array(1, "int64");
        this.sizes = array(DEEPEST + 2);
        this.way = array(Object.keys(tables.initialisations).length);
        this.drawn = kernels.outputs("first_parameters").results;
        this.back = kernels.outputs("feedback");
        this.feedback = array(all);
        this.mask = array(all);
        this.numbers = Object.fromEntries(
            ["lr", "l1", "l2", "dropout", "span"].map((name) => [name, array(1)]),
        );
        this.rate = array(1);
        this.slots = Array.from({ length: 2 }, () => ({
            parameters: array(all), state1: array(all), state2: array(all), step: array(1, "int64"),
            mean: array(DEEPEST * WIDTH), variance: array(DEEPEST * WIDTH),
            draws: array(DEEPEST, "int64"), done: array(1),
        }));
        this.now = 0;  // which of the slots hold what is true
        this.layers = Array.from({ length: DEEPEST + 1 }, () => {
            const looked = () => array(most * WIDTH), trained = () => array(data.most * WIDTH);
            return {
                z: looked(), values: looked(), normal: looked(), dropped: trained(), kept: trained(), above: trained(),
            };
        });
        this.sent = { dropped: array(data.most * WIDTH), normal: array(data.most * WIDTH) };
        this.error = array(data.most);
        this.gradient = array(all);
        this.spare = { signal: array(all), pulled: array(all) };
        this.measured = { loss: array(1), accuracy: array(1), norm: array(1) };
    }

    get parameters() {
        return this.slots[this.now].parameters;
    }

    // What the page has chosen, and the rule by which it learns; returns to the start of training
    // if that is asked for.
    choose(state, fresh, rule = "backprop") {
        if (this.state && this.state.optimizer !== state.optimizer) this.forget();
        this.rule = rule;
        if (rule === "none") return;
        const isClasses = !this.tables.regressions.includes(state.data);
        this.state = state;
        this.depth = state.layers.length;
        this.loss = state.loss === "logistic" && isClasses ? "logistic" : "squared";
        this.output = this.loss === "squared" && isClasses ? "tanh" : "linear";
        this.head = this.output === "tanh" ? "head_tanh" : `head_${this.loss}`;
        const { training } = this.data, batches = Math.ceil(training / Math.max(1, Math.min(state.batch, training)));
        const numbers = { lr: state.rate, l1: state.l1, l2: state.l2, dropout: state.dropout, span: state.span * batches };
        for (const [name, number] of Object.entries(numbers)) this.numbers[name][0] = number;
        this.rate[0] = state.rate;
        this.#draw();
        if (fresh) this.restart();
        this.#keepWhatIsThere();
        this.steps = [0, 1].map((from) => stepOf(this, this.slots[from], this.slots[1 - from]));
    }

    #draw() {
        const { state } = this;
        this.seed[0] = BigInt(state.seed);
        this.sizes.fill(1);
        this.sizes.set([state.features.length, ...state.layers.map((layer) => layer.size)]);
        this.way.fill(0);
        this.way[Object.keys(this.tables.initialisations).indexOf(state.initialisation)] = 1;
        const inputs = { seed: this.seed, sizes: this.sizes, way: this.way };
        this.kernels.call("first_parameters", inputs, { results: this.drawn });
        if (this.rule !== "backprop") this.kernels.call("feedback", inputs, this.back);
    }

    restart() {
        this.mask.fill(0);
        this.forget();
        this.epoch = 0;
        for (const { mean, variance, draws, done } of this.slots) {
            mean.fill(0);
            variance.fill(1);
            draws.forEach((_, layer) => { draws[layer] = BigInt(this.state.seed) + (BigInt(layer + 1) << 40n); });
            done[0] = 0;
        }
    }

    // What the optimizer remembers.
    forget() {
        for (const { state1, state2, step } of this.slots) {
            state1.fill(0);
            state2.fill(0);
            step[0] = 0n;
        }
    }

    // What is new begins as it was drawn, and what is no longer there is 0.
    #keepWhatIsThere() {
        const { parameters, state1, state2 } = this.slots[this.now], before = this.mask.slice();
        this.mask.fill(0);
        let inputs = this.state.features.map((name) => this.tables.features.indexOf(name));
        [...this.state.layers.map((layer) => layer.size), 1].forEach((size, layer) => {
            const block = this.block(layer, this.mask);
            for (let neuron = 0; neuron < size; neuron++) {
                for (const from of inputs) block[WIDTH * neuron + from] = 1;
                block[WIDTH * WIDTH + neuron] = 1;
            }
            inputs = Array.from({ length: size }, (_, i) => i);
        });
        this.mask.forEach((there, i) => {
            this.feedback[i] = there ? this.back.matrices[i] : 0;
            if (there && before[i]) return;
            parameters[i] = there ? this.drawn[i] : 0;
            state1[i] = state2[i] = 0;
        });
    }

    // Weights that were given, where there is a place for them.
    take(values) {
        values.forEach((value, i) => { this.parameters[i] = value * this.mask[i]; });
        this.forget();
    }

    train() {
        const { training } = this.data, least = this.state.norm === "batch" ? 2 : 1;
        const batch = Math.min(Math.max(this.state.batch, least), training);
        for (let row = 0; row + least <= training; row += batch) {
            if (this.steps[this.now](row, Math.min(batch, training - row))) throw new Error("a step has failed");
            this.now = 1 - this.now;
        }
        this.epoch += 1;
    }

    block(layer, array = this.parameters) {
        return array.subarray(BLOCK * layer, BLOCK * (layer + 1));
    }

    // Where the numbers of a layer stand in an array of all of them.
    parts(layer, array = this.parameters) {
        const block = this.block(layer, array);
        return {
            weights: block, biases: block.subarray(WIDTH * WIDTH),
            bias: block.subarray(WIDTH * WIDTH),
        };
    }

    // In which the error reaches a layer directly.
    direction(layer) {
        return this.back.directions.subarray(WIDTH * layer, WIDTH * (layer + 1));
    }

    // What batch normalisation remembers of a layer.
    statistics(layer, slots) {
        const [start, end] = [WIDTH * layer, WIDTH * (layer + 1)];
        return { mean: slots.mean.subarray(start, end), variance: slots.variance.subarray(start, end) };
    }

    // What a layer reads, for rows of features.
    entry(layer, x, training = false) {
        if (layer === 0) return x;
        const { dropped, normal, values } = this.layers[layer - 1];
        if (training && this.state.dropout) return dropped;
        return this.state.norm === "batch" ? normal : values;
    }

    // The values of all layers.
    forward(x, rows) {
        const last = { x: this.entry(this.depth, x), ...this.parts(this.depth) };
        const output = [`forward_${this.output}`, last, { results: this.layers[this.depth].values }];
        for (const [name, inputs, outputs] of [...wayForward(this, x, this.slots[this.now]), output]) {
            this.kernels.call(name, inputs, outputs, rows);
        }
    }

    // The sums of a layer for the first row.
    sums(layer, x) {
        const inputs = { x: this.entry(layer, x), ...this.parts(layer) };
        this.kernels.call("forward_linear", inputs, { results: this.layers[layer].z });
        return this.layers[layer].z.slice(0, WIDTH);
    }

    rows(first) {
        return this.data.inputs.subarray(WIDTH * first);
    }

    // Loss and accuracy of rows of the data, whose values are then in the layers.
    measure(first, rows) {
        this.forward(this.rows(first), rows);
        const inputs = {
            values: this.layers[this.depth].values, target: this.data.target.subarray(first),
        };
        this.kernels.call(`measure_${this.loss}`, inputs, this.measured, rows);
        return { loss: this.measured.loss[0], accuracy: this.measured.accuracy[0] };
    }

    // After `measure`: the gradients of its loss, layer by layer.
    differentiate(first, rows) {
        const given = { x: this.rows(first), target: this.data.target.subarray(first) };
        for (const [name, inputs, outputs] of wayBack(this, this.gradient, given, this.slots[this.now])) {
            this.kernels.call(name, inputs, outputs, rows);
        }
    }

    norm(layer) {
        this.kernels.call("norm", { block: this.block(layer, this.gradient) }, { results: this.measured.norm });
        return this.measured.norm[0];
    }
}
