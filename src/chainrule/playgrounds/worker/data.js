// The rows that networks learn from and are tested on, and the plane that is shown.

class Data {
    constructor(kernels, tables, points, grid, digits) {
        Object.assign(this, { kernels, tables, most: points });
        const array = (count, dtype) => kernels.array(count, dtype);
        this.seed = array(1, "int64");
        this.noise = array(1);
        this.sets = kernels.outputs("data_sets");
        this.points = array(2 * points);
        this.target = array(points);
        const rows = () => ({ points: array(2 * points), target: array(points) });
        this.fitted = { given: rows(), found: rows() };
        this.wanted = array(WIDTH);
        this.features = array(points * WIDTH);
        this.digits = kernels.outputs("digits");
        this.drawing = { seed: this.seed, noise: this.noise };
        for (const [name, text] of Object.entries(digits)) {
            const bytes = bytesOfText(text);
            this.drawing[name] = array(bytes.length, "uint8");
            this.drawing[name].set(bytes);
        }
        this.plane = { points: this.#gridPoints(grid), count: grid * grid };
        this.plane.inputs = array(this.plane.count * WIDTH);
    }

    #gridPoints(grid) {
        const found = this.kernels.array(2 * grid * grid);
        for (let i = 0; i < grid * grid; i++) {
            found[2 * i] = -6 + 12 * (i % grid + 0.5) / grid;
            found[2 * i + 1] = 6 - 12 * (Math.floor(i / grid) + 0.5) / grid;
        }
        return found;
    }

    choose(state) {
        this.isDigits = state.data === "digits";
        this.width = this.isDigits ? PIXELS : WIDTH;
        this.inputs = this.isDigits ? this.digits.pixels : this.features;
        if (this.isDigits) this.#drawDigits(state);
        else if (state.data === "own") this.#takeOwn(state.own);
        else this.#draw(state);
        this.training = Math.min(this.count, Math.ceil(this.count * state.split / 100));
        if (this.isDigits) return;
        this.wanted.fill(0);
        for (const name of state.features) this.wanted[this.tables.features.indexOf(name)] = 1;
        this.#features(this.points, this.features, this.count);
        this.#features(this.plane.points, this.plane.inputs, this.plane.count);
    }

    #takeOwn(own) {
        this.count = own.length;
        own.forEach(([x, y, target], i) => {
            this.points.set([x, y], 2 * i);
            this.target[i] = target;
        });
    }

    #drawn(state) {
        this.seed[0] = BigInt(state.seed);
        this.noise[0] = state.noise / 100;
    }

    #drawDigits(state) {
        this.#drawn(state);
        this.kernels.call("digits", this.drawing, this.digits);
        this.count = this.digits.target.length;
        this.target.set(this.digits.target);
    }

    #draw(state) {
        this.#drawn(state);
        this.count = this.sets[state.data].length / 2;
        this.kernels.call("data_sets", { seed: this.seed, noise: this.noise }, this.sets);
        this.points.set(this.sets[state.data]);
        this.target.set(this.sets[`${state.data}_target`]);
    }

    #features(points, results, rows) {
        if (rows === 0) return;
        this.kernels.call("features", { points, mask: this.wanted }, { results }, rows);
    }
}
