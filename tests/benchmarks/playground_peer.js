// A network in plain JavaScript with an object for each neuron and each link, as TensorFlow's
// playground has it: values and gradients go from object to object, a row at a time.
const TANH = {
    of: (x) => Math.tanh(x),
    slope(x) {
        const value = TANH.of(x);
        return 1 - value * value;
    },
};

class Neuron {
    constructor() {
        this.activation = TANH;
        this.into = [];
        this.from = [];
        this.bias = 0.1;
        this.sum = this.value = this.ofValue = this.ofSum = 0;
        this.total = this.count = 0;
    }

    compute() {
        this.sum = this.bias;
        for (const link of this.into) this.sum += link.weight * link.source.value;
        this.value = this.activation.of(this.sum);
    }
}

class Link {
    constructor(source, end, weight) {
        Object.assign(this, { source, end, weight, total: 0, count: 0 });
        source.from.push(this);
        end.into.push(this);
    }
}

class ObjectNetwork {
    // `weight(layer, from, to)` gives first weights
    constructor(sizes, weight) {
        this.layers = sizes.map((size) => Array.from({ length: size }, () => new Neuron()));
        for (let layer = 1; layer < sizes.length; layer++) {
            this.layers[layer].forEach((end, to) => this.layers[layer - 1].forEach((source, from) => {
                new Link(source, end, weight(layer - 1, from, to));
            }));
            for (const neuron of this.layers[layer]) neuron.bias = 0;
        }
    }

    forward(row) {
        this.layers[0].forEach((neuron, i) => { neuron.value = row[i]; });
        for (let layer = 1; layer < this.layers.length; layer++) {
            for (const neuron of this.layers[layer]) neuron.compute();
        }
        return this.layers[this.layers.length - 1][0].value;
    }

    backward(target) {
        const output = this.layers[this.layers.length - 1][0];
        output.ofValue = output.value - target;
        for (let layer = this.layers.length - 1; layer > 0; layer--) {
            for (const neuron of this.layers[layer]) {
                neuron.ofSum = neuron.ofValue * neuron.activation.slope(neuron.sum);
                neuron.total += neuron.ofSum;
                neuron.count += 1;
                for (const link of neuron.into) {
                    link.total += neuron.ofSum * link.source.value;
                    link.count += 1;
                }
            }
            if (layer === 1) continue;
            for (const neuron of this.layers[layer - 1]) {
                neuron.ofValue = 0;
                for (const link of neuron.from) neuron.ofValue += link.weight * link.end.ofSum;
            }
        }
    }

    update(rate) {
        for (const layer of this.layers.slice(1)) {
            for (const neuron of layer) {
                neuron.bias -= rate * neuron.total / neuron.count;
                neuron.total = neuron.count = 0;
                for (const link of neuron.into) {
                    link.weight -= rate * link.total / link.count;
                    link.total = link.count = 0;
                }
            }
        }
    }

    epoch(rows, targets, batch, rate) {
        rows.forEach((row, i) => {
            this.forward(row);
            this.backward(targets[i]);
            if ((i + 1) % batch === 0 || i + 1 === rows.length) this.update(rate);
        });
    }
}

// Milliseconds of an epoch of each, the least of many of about the same length, in which other
// programs disturb both alike; and by how much they differ after one.
function raced(told, rounds, epochs) {
    const state = {
        data: "spiral", noise: 0, split: 50, seed: 1, features: ["x1", "x2"], own: [], batch: 10,
        layers: [{ size: 8, activation: "tanh" }, { size: 8, activation: "tanh" }],
        initialisation: "uniform", optimizer: "sgd", rate: 0.03, loss: "squared", l1: 0, l2: 0, rule: "backprop", beside: "none", norm: "none", dropout: 0, schedule: "constant", span: 300,
    };
    const kernels = new Kernels(told.modules, 12_000_000);
    const data = new Data(kernels, told.tables, told.points, told.grid, told.digits);
    const ours = new Network(kernels, data, told.tables);
    data.choose(state);
    ours.choose(state, true);
    const first = ours.parameters.slice();
    const peer = new ObjectNetwork([2, 8, 8, 1], (layer, from, to) => first[72 * layer + 8 * to + from]);
    const rows = Array.from({ length: data.training }, (_, i) => Array.from(data.points.slice(2 * i, 2 * i + 2)));
    const targets = Array.from(data.target.slice(0, data.training));
    const runs = { ours: () => ours.train(), peer: () => peer.epoch(rows, targets, 10, 0.03) };
    for (const run of Object.values(runs)) run();
    const link = peer.layers[3][0].into;
    const apart = Math.max(...link.map((each, i) => Math.abs(each.weight - ours.parameters[144 + i])));
    const least = { ours: Infinity, peer: Infinity };
    for (let round = 0; round < rounds; round++) {
        for (const [name, run] of Object.entries(runs)) {
            const start = performance.now(), count = name === "ours" ? epochs : Math.ceil(epochs / 20);
            for (let i = 0; i < count; i++) run();
            least[name] = Math.min(least[name], (performance.now() - start) / count);
        }
    }
    return { ...least, apart };
}
