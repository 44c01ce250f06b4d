// The network: which function reads which array, and nothing that computes.
const WIDTH = 8, BLOCK = 72, DEEPEST = 6;

class Network {
    constructor(modules, tables, points, grid) {
        this.tables = tables;
        this.points = points;
        const kernels = new Kernels(modules, 12_000_000), most = Math.max(points, grid * grid);
        this.kernels = kernels;
        const array = (count, dtype) => kernels.array(count, dtype);
        this.seed = array(1, "int64");
        this.noise = array(1);
        this.sets = kernels.outputs("data_sets");
        this.data = { points: array(2 * points), target: array(points) };
        this.wanted = array(WIDTH);
        this.inputs = array(points * WIDTH);
        this.plane = { points: this.#gridPoints(grid), count: grid * grid };
        this.plane.inputs = array(this.plane.count * WIDTH);
        this.sizes = array(DEEPEST + 2);
        this.way = array(Object.keys(tables.initialisations).length);
        this.drawn = kernels.outputs("first_parameters");
        this.coefficients = array((DEEPEST + 1) * 9);
        this.masks = array((DEEPEST + 1) * WIDTH);
        this.numbers = Object.fromEntries(
            ["logistic", "l1", "l2", "rate"].map((name) => [name, array(1)]),
        );
        this.optimizer = array(9);
        const slots = () => ({
            parameters: array((DEEPEST + 1) * BLOCK), first: array((DEEPEST + 1) * BLOCK),
            second: array((DEEPEST + 1) * BLOCK), sums: array(2),
        });
        this.slots = slots();
        this.next = slots();
        this.layers = Array.from({ length: DEEPEST + 1 }, () => kernels.outputs("layer", most));
        this.backward = Array.from(
            { length: DEEPEST + 1 }, () => kernels.outputs("layer_backward", points),
        );
        this.measured = kernels.outputs("measure", points);
    }

    #gridPoints(grid) {
        const found = this.kernels.array(2 * grid * grid);
        for (let i = 0; i < grid * grid; i++) {
            found[2 * i] = -6 + 12 * (i % grid + 0.5) / grid;
            found[2 * i + 1] = 6 - 12 * (Math.floor(i / grid) + 0.5) / grid;
        }
        return found;
    }

    // What the page has chosen; returns to the start of training if that is asked for.
    choose(state, fresh) {
        const { tables } = this;
        this.state = state;
        this.depth = state.layers.length;
        this.coefficients.fill(0);
        this.masks.fill(0);
        state.layers.forEach((layer, i) => {
            this.coefficients.set(tables.activations[layer.activation].parts, 9 * i);
            this.masks.fill(1, WIDTH * i, WIDTH * i + layer.size);
        });
        const squashed = state.loss === "squared" && !tables.regressions.includes(state.data);
        const last = tables.activations[squashed ? "tanh" : "linear"].parts;
        this.coefficients.set(last, 9 * this.depth);
        this.masks[WIDTH * this.depth] = 1;
        const isLogistic = state.loss === "logistic" && !tables.regressions.includes(state.data);
        this.numbers.logistic[0] = isLogistic ? 1 : 0;
        for (const name of ["l1", "l2", "rate"]) this.numbers[name][0] = state[name];
        this.optimizer.set(tables.optimizers[state.optimizer].parts);
        this.#choosePoints();
        if (fresh) this.restart();
        this.#bind();
    }

    #choosePoints() {
        const { state, data } = this;
        if (state.data === "own") {
            this.count = state.own.length;
            state.own.forEach(([x, y, target], i) => {
                data.points.set([x, y], 2 * i);
                data.target[i] = target;
            });
        } else {
            this.count = this.points;
            this.seed[0] = BigInt(state.seed);
            this.noise[0] = state.noise / 100;
            this.kernels.call("data_sets", { seed: this.seed, noise: this.noise }, this.sets);
            data.points.set(this.sets[state.data]);
            data.target.set(this.sets[`${state.data}_target`]);
        }
        this.training = Math.min(this.count, Math.ceil(this.count * state.split / 100));
        this.wanted.fill(0);
        for (const name of state.features) this.wanted[this.tables.features.indexOf(name)] = 1;
        this.#features(data.points, this.inputs, this.count);
        this.#features(this.plane.points, this.plane.inputs, this.plane.count);
    }

    #features(points, results, rows) {
        if (rows === 0) return;
        this.kernels.call("features", { points, mask: this.wanted }, { results }, rows);
    }

    restart() {
        const { state } = this;
        this.seed[0] = BigInt(state.seed);
        this.sizes.fill(1);
        this.sizes.set([state.features.length, ...state.layers.map((layer) => layer.size)]);
        this.way.fill(0);
        this.way[Object.keys(this.tables.initialisations).indexOf(state.initialisation)] = 1;
        const inputs = { seed: this.seed, sizes: this.sizes, way: this.way };
        this.kernels.call("first_parameters", inputs, this.drawn);
        this.forget();
        this.slots.parameters.set(this.drawn.results);
        this.epoch = 0;
    }

    // What the optimizer remembers.
    forget() {
        for (const slots of [this.slots, this.next]) {
            slots.first.fill(0);
            slots.second.fill(0);
            slots.sums.fill(0);
        }
    }

    // The arguments of a step, from one set of slots to the other and back.
    #bind() {
        const name = `step_${this.depth}`, kernel = this.kernels.byName.get(name);
        const shared = {
            ...this.numbers, optimizer: this.optimizer, coefficients: this.coefficients,
            masks: this.masks, x: this.inputs, target: this.data.target,
        };
        this.step = kernel.call;
        this.ways = [[this.slots, this.next], [this.next, this.slots]].map(([from, to]) => (
            this.kernels.given(name, { ...shared, ...from }, to, 1)
        ));
        const order = kernel.inputs.map((each) => each.name);
        this.at = {
            x: 1 + order.indexOf("x"), target: 1 + order.indexOf("target"), rows: 1 + order.length,
        };
    }

    train() {
        const { training, at, step } = this, batch = Math.min(this.state.batch, training);
        const whole = BigInt(batch);
        for (let row = 0; row < training; row += batch) {
            const a = this.ways[0], rows = Math.min(batch, training - row);
            a[at.x] = this.inputs.byteOffset + 4 * WIDTH * row;
            a[at.target] = this.data.target.byteOffset + 4 * row;
            a[at.rows] = rows === batch ? whole : BigInt(rows);
            step(
                a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11], a[12],
                a[13], a[14], a[15], a[16], a[17], a[18],
            );
            this.ways.reverse();
            [this.slots, this.next] = [this.next, this.slots];
        }
        this.epoch += 1;
    }

    block(layer, array = this.slots.parameters) {
        return array.subarray(BLOCK * layer, BLOCK * (layer + 1));
    }

    #layer(layer, x) {
        return {
            x, block: this.block(layer),
            coefficients: this.coefficients.subarray(9 * layer, 9 * layer + 9),
            mask: this.masks.subarray(WIDTH * layer, WIDTH * (layer + 1)),
        };
    }

    // The values of all layers, for rows of features.
    forward(x, rows) {
        for (let layer = 0; layer <= this.depth; layer++) {
            this.kernels.call("layer", this.#layer(layer, x), this.layers[layer], rows);
            x = this.layers[layer].values;
        }
    }

    // Loss and accuracy of rows of the data, whose values are then in the layers.
    measure(first, rows) {
        this.forward(this.inputs.subarray(WIDTH * first), rows);
        const inputs = {
            values: this.layers[this.depth].values, target: this.data.target.subarray(first),
            logistic: this.numbers.logistic,
        };
        this.kernels.call("measure", inputs, this.measured, rows);
        return { loss: this.measured.loss[0], accuracy: this.measured.accuracy[0] };
    }

    // After `measure`: the gradients of its loss, layer by layer.
    differentiate(first, rows) {
        let { above } = this.measured;
        for (let layer = this.depth; layer >= 0; layer--) {
            const x = layer ? this.layers[layer - 1].values : this.inputs.subarray(WIDTH * first);
            const inputs = { ...this.#layer(layer, x), above };
            this.kernels.call("layer_backward", inputs, this.backward[layer], rows);
            above = this.backward[layer].x;
        }
    }
}
