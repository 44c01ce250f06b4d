// Answers the page: trains, and tells what there is to draw.
let network = null, beside = null, data = null, grid = 0;
const COARSE = 2;  // points of the plane to one of a neuron's picture, along each side

function byteOf(value) {
    return Math.max(0, Math.min(255, Math.round(127.5 * value + 127.5)));
}

function surface(values, neuron, scale, every = COARSE) {
    const side = grid / every, found = new Uint8Array(side * side);
    for (let i = 0, row = 0; row < grid; row += every) {
        for (let column = 0; column < grid; column += every) {
            found[i++] = byteOf(values[WIDTH * (grid * row + column) + neuron] / scale);
        }
    }
    return found;
}

// A picture of each neuron and the output, and of each feature if they may have changed.
function surfaces(withFeatures) {
    const { layers, state } = network, { plane } = data;
    network.forward(plane.inputs, plane.count);
    return {
        features: withFeatures ? state.features.map((name) => (
            surface(plane.inputs, network.tables.features.indexOf(name), 4)
        )) : null,
        layers: state.layers.map((layer, i) => (
            Array.from({ length: layer.size }, (_, neuron) => surface(layers[i].values, neuron, 1))
        )),
        output: outputOf(network),
    };
}

// How many values of a layer fall into each of twenty parts of -1.5 to 1.5.
function histogram(values, rows, size) {
    const counts = new Array(20).fill(0);
    for (let row = 0; row < rows; row++) {
        for (let neuron = 0; neuron < size; neuron++) {
            const part = Math.floor((values[WIDTH * row + neuron] + 1.5) / 0.15);
            counts[Math.max(0, Math.min(19, part))] += 1;
        }
    }
    return counts;
}

function statistics() {
    const { training, count } = data, { state } = network;
    const test = count > training ? network.measure(training, count - training) : null;
    if (training === 0) return { train: null, test: null, norms: [], histograms: [] };
    const train = network.measure(0, training);
    const histograms = state.layers.map((layer, i) => (
        histogram(network.layers[i].values, training, layer.size)
    ));
    network.differentiate(0, training);
    const norms = Array.from({ length: network.depth + 1 }, (_, layer) => network.norm(layer));
    return { train, test, norms, histograms };
}

// What the network that learns by another rule has come to.
function others() {
    const { training, count } = data;
    if (beside.rule === "none" || training === 0) return null;
    beside.forward(data.plane.inputs, data.plane.count);
    return {
        output: outputOf(beside), train: beside.measure(0, training),
        test: count > training ? beside.measure(training, count - training) : null,
    };
}

function outputOf({ layers, depth, state }) {
    return surface(layers[depth].values, 0, state.loss === "logistic" ? 4 : 1, 1);
}

// All values and gradients for one row of the data.
function example(row) {
    if (row === null || row >= data.count) return null;
    const { loss } = network.measure(row, 1);
    network.differentiate(row, 1);
    const layers = Array.from({ length: network.depth + 1 }, (_, layer) => {
        const { values, above } = network.layers[layer], ofBlock = network.block(layer, network.gradient).slice();
        return {
            z: network.sums(layer, network.rows(row)), values: values.slice(0, WIDTH),
            ofZ: ofBlock.slice(WIDTH * WIDTH), ofX: above.slice(0, WIDTH), ofBlock,
        };
    });
    return {
        row, loss, layers, target: data.target[row],
        point: Array.from(data.points.subarray(2 * row, 2 * row + 2)),
        inputs: data.inputs.slice(WIDTH * row, WIDTH * (row + 1)),
    };
}

// All of it, or what training changes.
function answer(request, all = true) {
    const told = {
        kind: "frame", number: request.number, epoch: network.epoch, ...statistics(),
        surfaces: surfaces(all), beside: others(), example: example(request.example),
        parameters: network.parameters.slice(0, BLOCK * (network.depth + 1)),
        training: data.training,
    };
    if (all) {
        told.points = data.points.slice(0, 2 * data.count);
        told.targets = data.target.slice(0, data.count);
    }
    postMessage(told);
}

const ACTIONS = {
    start({ modules, tables, points, grid: side }) {
        grid = side;
        const kernels = new Kernels(modules, 20_000_000);
        data = new Data(kernels, tables, points, grid);
        network = new Network(kernels, data, tables);
        beside = new Network(kernels, data, tables);
        postMessage({ kind: "ready" });
    },
    choose(request) {
        data.choose(request.state);
        const { state, fresh } = request;
        network.choose(state, fresh, state.rule);
        beside.choose(state, fresh, state.beside);
        answer(request);
    },
    // as many epochs as are asked for, in no more than the time that there is
    advance(request) {
        const end = performance.now() + request.milliseconds;
        for (let i = 0; i < request.epochs && data.training; i++) {
            network.train();
            if (beside.rule !== "none") beside.train();
            if (performance.now() > end) break;
        }
        answer(request, false);
    },
    // rows of a file, brought into the square
    fit({ points, target }) {
        const rows = target.length, { given, found } = data.fitted;
        given.points.set(points);
        given.target.set(target);
        data.kernels.call("fitted", given, found, rows);
        const at = (i) => [found.points[2 * i], found.points[2 * i + 1], found.target[i]];
        postMessage({ kind: "fitted", points: Array.from({ length: rows }, (_, i) => at(i)) });
    },
    look(request) {
        answer(request);
    },
    parameters(request) {
        network.take(request.values);
        if (request.epoch !== undefined) network.epoch = request.epoch;
        answer(request);
    },
};
