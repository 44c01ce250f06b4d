// Answers the page: trains, and tells what there is to draw.
let network = null, grid = 0;

function byteOf(value) {
    return Math.max(0, Math.min(255, Math.round(127.5 * value + 127.5)));
}

function surface(values, neuron, scale) {
    const found = new Uint8Array(grid * grid);
    for (let i = 0; i < found.length; i++) found[i] = byteOf(values[WIDTH * i + neuron] / scale);
    return found;
}

// A picture of each feature, each neuron, and the output.
function surfaces() {
    const { plane, layers, state } = network;
    network.forward(plane.inputs, plane.count);
    return {
        features: state.features.map((name) => (
            surface(plane.inputs, network.tables.features.indexOf(name), 4)
        )),
        layers: state.layers.map((layer, i) => (
            Array.from({ length: layer.size }, (_, neuron) => surface(layers[i].values, neuron, 1))
        )),
        output: surface(layers[network.depth].values, 0, state.loss === "logistic" ? 4 : 1),
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
    const { training, count, state } = network;
    const test = count > training ? network.measure(training, count - training) : null;
    if (training === 0) return { train: null, test: null, norms: [], histograms: [] };
    const train = network.measure(0, training);
    const histograms = state.layers.map((layer, i) => (
        histogram(network.layers[i].values, training, layer.size)
    ));
    network.differentiate(0, training);
    const norms = network.backward.slice(0, network.depth + 1).map((each) => each.norm[0]);
    return { train, test, norms, histograms };
}

// All values and gradients for one row of the data.
function example(row) {
    if (row === null || row >= network.count) return null;
    const { loss } = network.measure(row, 1);
    network.differentiate(row, 1);
    const found = [];
    for (let layer = 0; layer <= network.depth; layer++) {
        const { z, values } = network.layers[layer], back = network.backward[layer];
        found.push({
            z: z.slice(0, WIDTH), values: values.slice(0, WIDTH), ofZ: back.z.slice(0, WIDTH),
            ofX: back.x.slice(0, WIDTH), ofBlock: back.block.slice(),
        });
    }
    return {
        row, loss, target: network.data.target[row], layers: found,
        point: Array.from(network.data.points.subarray(2 * row, 2 * row + 2)),
        inputs: network.inputs.slice(WIDTH * row, WIDTH * (row + 1)),
    };
}

function answer(request) {
    const told = {
        kind: "frame", number: request.number, epoch: network.epoch, ...statistics(),
        surfaces: surfaces(), example: example(request.example),
        parameters: network.slots.parameters.slice(0, BLOCK * (network.depth + 1)),
        training: network.training,
    };
    if (request.points) {
        told.points = network.data.points.slice(0, 2 * network.count);
        told.targets = network.data.target.slice(0, network.count);
    }
    postMessage(told);
}

const ACTIONS = {
    start({ modules, tables, points, grid: side }) {
        grid = side;
        network = new Network(modules, tables, points, grid);
        postMessage({ kind: "ready" });
    },
    choose(request) {
        network.choose(request.state, request.fresh);
        answer({ ...request, points: true });
    },
    // as many epochs as are asked for, in no more than the time that there is
    advance(request) {
        const end = performance.now() + request.milliseconds;
        for (let i = 0; i < request.epochs && network.training; i++) {
            network.train();
            if (performance.now() > end) break;
        }
        answer(request);
    },
    look(request) {
        answer(request);
    },
    parameters(request) {
        network.slots.parameters.set(request.values);
        network.forget();
        if (request.epoch !== undefined) network.epoch = request.epoch;
        answer(request);
    },
};

onmessage = ({ data }) => ACTIONS[data.kind](data);
