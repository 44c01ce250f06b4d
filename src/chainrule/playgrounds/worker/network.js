// The network: which function reads which array, and nothing that computes.
class Network {
    constructor(kernels, data, tables) {
        Object.assign(this, { kernels, data, tables });
        const all = MOST_BLOCKS * BLOCK, most = Math.max(data.most, data.plane.count);
        const array = (count, dtype) => kernels.array(count, dtype);
        this.seed = array(1, "int64");
        this.sizes = array(DEEPEST + 2);
        this.way = array(Object.keys(tables.initialisations).length);
        this.spread = kernels.outputs("first_parameters").results;
        this.drawn = array(all);
        this.fan = array(2);
        this.back = kernels.outputs("feedback");
        this.feedback = array(all);
        this.mask = array(all);
        this.none = array(all);
        this.pulls = array(all);  // 1 for a weight
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
                z: looked(), z2: looked(), values: looked(), normal: looked(), dropped: trained(), kept: trained(), above: trained(),
            };
        });
        this.sent = { dropped: array(data.most * WIDTH), normal: array(data.most * WIDTH) };
        this.error = array(data.most);
        this.gradient = array(all);
        this.spare = { signal: array(all), pulled: array(all) };
        this.measured = { loss: array(1), accuracy: array(1), confusion: array(CLASSES * CLASSES), norm: array(1) };
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
        this.state = state;
        this.layout = layoutOf(state);
        this.depth = state.layers.length;
        this.#chooseLoss(!this.tables.regressions.includes(state.data));
        const { training } = this.data, batches = Math.ceil(training / Math.max(1, Math.min(state.batch, training)));
        const numbers = { lr: state.rate, l1: state.l1, l2: state.l2, dropout: state.dropout, span: state.span * batches };
        for (const [name, number] of Object.entries(numbers)) this.numbers[name][0] = number;
        this.rate[0] = state.rate;
        this.#draw();
        if (fresh) this.restart();
        this.#keepWhatIsThere();
        this.steps = [0, 1].map((from) => stepOf(this, this.slots[from], this.slots[1 - from]));
    }

    #chooseLoss(isClasses) {
        this.loss = this.state.loss === "logistic" && isClasses ? "logistic" : "squared";
        this.output = this.loss === "squared" && isClasses ? "tanh" : "linear";
        this.head = this.output === "tanh" ? "head_tanh" : `head_${this.loss}`;
        if (!this.data.isDigits) return;
        this.loss = this.output = "digits";
        this.head = `head_digits${this.from(this.depth)}`;
    }

    // What the name of a function has behind it at a layer that reads pixels.
    from(layer) {
        return this.data.isDigits && layer === 0 ? "_of_pixels" : "";
    }

    #draw() {
        const { state, layout } = this;
        this.sizes.fill(1);
        this.sizes.set(sizesOf(state));
        this.way.fill(0);
        this.way[Object.keys(this.tables.initialisations).indexOf(state.initialisation)] = 1;
        this.drawn.fill(0);
        this.seed[0] = BigInt(state.seed) + (1n << 40n);
        this.#drawParts(layout.layers.map((each) => each.second));
        state.layers.forEach(({ activation }, layer) => {
            if (activation !== "prelu") return;
            const { at, biases, count, outputs } = layout.layers[layer].second;
            this.drawn.fill(0, at, at + count);
            this.drawn.fill(SLOPE, biases, biases + outputs);
        });
        this.seed[0] = BigInt(state.seed);
        this.#drawParts(layout.layers.map((each) => each.first));
    }

    #drawParts(places) {
        const { kernels, seed, sizes, way, fan } = this, inputs = { seed, sizes, way };
        if (!places.some(Boolean)) return;
        kernels.call("first_parameters", inputs, { results: this.spread });
        if (this.rule !== "backprop") kernels.call("feedback", inputs, this.back);
        places.forEach((place, layer) => {
            if (!place) return;
            if (place.count === BLOCK) {
                const own = (array) => array.subarray(BLOCK * layer, BLOCK * (layer + 1));
                this.drawn.set(own(this.spread), place.at);
                this.feedback.set(own(this.back.matrices), place.at);
                return;
            }
            fan.set(sizes.subarray(layer, layer + 2));
            const results = this.drawn.subarray(place.at);
            kernels.call(`weights_${place.inputs}x${place.outputs}`, { seed, fan, way }, { results });
        });
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
        for (const each of [this.mask, this.pulls]) each.fill(0);
        const { state, layout } = this, sizes = sizesOf(state), names = this.tables.features;
        const learnt = state.layers.map(({ activation }) => (isWide(activation) ? activation : null));
        let inputs = this.data.isDigits ? [...Array(PIXELS).keys()] : state.features.map((name) => names.indexOf(name));
        layout.layers.forEach(({ first, second }, layer) => {
            const activation = state.layers[layer]?.activation, size = sizes[layer + 1];
            this.#mark(first, inputs, size);
            if (isWide(activation)) this.#mark(second, activation === "prelu" ? [] : inputs, size);
            if (second && learnt[layer] !== this.learnt?.[layer]) before.fill(0, second.at, second.at + second.count);
            inputs = [...Array(size).keys()];
        });
        this.learnt = learnt;
        this.mask.forEach((there, i) => {
            this.feedback[i] *= there;
            if (there && before[i]) return;
            parameters[i] = there ? this.drawn[i] : 0;
            state1[i] = state2[i] = 0;
        });
    }

    #mark({ at, biases, inputs }, from, size) {
        for (let neuron = 0; neuron < size; neuron++) {
            for (const each of from) this.mask[at + inputs * neuron + each] = this.pulls[at + inputs * neuron + each] = 1;
            this.mask[biases + neuron] = 1;
        }
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

    // Where the numbers of a layer stand in an array of all of them.
    parts(layer, array = this.parameters) {
        const { first, second } = this.layout.layers[layer];
        const biases = array.subarray(first.biases), found = { weights: array.subarray(first.at), biases, bias: biases };
        if (!second) return found;
        const others = array.subarray(second.biases);
        return { ...found, weights2: array.subarray(second.at), biases2: others, slopes: others };
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
        const output = [`forward_${this.output}${this.from(this.depth)}`, last, { results: this.layers[this.depth].values }];
        for (const [name, inputs, outputs] of [...wayForward(this, x, this.slots[this.now]), output]) {
            this.kernels.call(name, inputs, outputs, rows);
        }
    }

    // The sums of a layer for the first row.
    sums(layer, x) {
        const inputs = { x: this.entry(layer, x), ...this.parts(layer) }, { z } = this.layers[layer];
        const name = this.data.isDigits && layer === this.depth ? "forward_digits" : "forward_linear";
        this.kernels.call(name + this.from(layer), inputs, { results: z });
        return z.slice(0, CLASSES);
    }

    rows(first) {
        return this.data.inputs.subarray(this.data.width * first);
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

    // Of the gradient of all that a layer has.
    norm(layer) {
        const { first, second = first } = this.layout.layers[layer], blocks = first.count / BLOCK;
        const of = (array, { at }) => array.subarray(at), other = second === first ? this.none : of(this.mask, second);
        const inputs = { gradient: of(this.gradient, first), mask: of(this.mask, first), gradient2: of(this.gradient, second), mask2: other };
        this.kernels.call("norm", inputs, { results: this.measured.norm }, blocks);
        return this.measured.norm[0];
    }
}
