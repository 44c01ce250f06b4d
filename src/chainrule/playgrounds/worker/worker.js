// Answers the page: trains, and tells what there is to draw.
let network = null, beside = null, data = null;
let seen = null;  // arrays for what is shown

// A picture of each of eight numbers over the plane.
function picturesOf(values) {
    data.kernels.call("pictures", { values, scale: seen.scale }, { results: seen.pictures });
    const size = seen.pictures.length / WIDTH;
    return Array.from({ length: WIDTH }, (_, i) => seen.pictures.slice(size * i, size * (i + 1)));
}

// A picture of each neuron and the output, and of each feature if they may have changed.
function surfaces(withFeatures) {
    const { layers, state } = network, { plane } = data, names = network.tables.features;
    network.forward(plane.inputs, plane.count);
    seen.scale[0] = 1;
    const features = withFeatures ? picturesOf(plane.inputs) : null;
    return {
        features: features && state.features.map((name) => features[names.indexOf(name)]),
        layers: state.layers.map((layer, i) => picturesOf(layers[i].values).slice(0, layer.size)),
        output: outputOf(network),
    };
}

function histogram(values, rows, size) {
    seen.there.fill(0);
    seen.there.fill(1, 0, size);
    data.kernels.call("histogram", { values, there: seen.there }, { results: seen.counts }, rows);
    return Array.from(seen.counts);
}

function statistics() {
    const { training, count } = data, { state } = network;
    const test = count > training ? network.measure(training, count - training) : null;
    if (training === 0) return { train: null, test: null, norms: [], histograms: [] };
    const confusion = data.isDigits ? network.measured.confusion.slice() : null;
    const train = network.measure(0, training);
    const histograms = state.layers.map((layer, i) => (
        histogram(network.layers[i].values, training, layer.size)
    ));
    network.differentiate(0, training);
    const norms = Array.from({ length: network.depth + 1 }, (_, layer) => network.norm(layer));
    return { train, test, norms, histograms, confusion };
}

// Of digits: what the first neurons look for, and what the others answer to one of them.
function digitsSeen(row) {
    const { layers, depth, state } = network, { kernels } = data, at = Math.min(row, data.count - 1);
    network.forward(network.rows(at), 1);
    kernels.call("digits_seen", { scores: layers[depth].values, pixels: network.rows(at) }, seen.digits);
    const pictures = state.layers.map((layer, i) => {
        if (i === 0) kernels.call("weights_seen", network.parts(0), { results: seen.weights });
        else kernels.call("values_seen", layers[i], { results: seen.values });
        const [all, each] = i === 0 ? [seen.weights, PIXELS] : [seen.values, 1];
        return Array.from({ length: layer.size }, (_, neuron) => all.slice(each * neuron, each * (neuron + 1)));
    });
    const { picture, bytes, shares, taken } = seen.digits;
    return {
        features: [picture.slice()], layers: pictures, output: null, shares: shares.slice(),
        outputs: Array.from(bytes, (each) => Uint8Array.of(each)), row: at, taken: taken[0], is: data.target[at],
    };
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
    seen.scale[0] = state.loss === "logistic" ? 4 : 1;
    data.kernels.call("output", { values: layers[depth].values, scale: seen.scale }, { results: seen.output });
    return seen.output.slice();
}

// All values and gradients for one row of the data.
function example(row) {
    if (row === null || row >= data.count) return null;
    const { loss } = network.measure(row, 1);
    network.differentiate(row, 1);
    const layers = Array.from({ length: network.depth + 1 }, (_, layer) => {
        const { values, above, z, z2 } = network.layers[layer], of = (array) => array.slice(0, CLASSES);
        const isMaxout = network.state.layers[layer]?.activation === "maxout";
        return {
            ...(isMaxout ? { z: of(z), z2: of(z2) } : { z: network.sums(layer, network.rows(row)) }),
            values: of(values), ofX: of(above),
        };
    });
    return {
        row, loss, layers, target: data.target[row], gradient: network.gradient.slice(0, network.layout.end),
        inputs: data.inputs.slice(data.width * row, data.width * (row + 1)),
    };
}

// All of it, or what training changes.
function answer(request, all = true) {
    const told = {
        kind: "frame", number: request.number, epoch: network.epoch, ...statistics(),
        surfaces: data.isDigits ? digitsSeen(request.row) : surfaces(all), beside: others(), example: example(request.example),
        parameters: network.parameters.slice(0, network.layout.end),
        training: data.training,
    };
    if (all) {
        told.points = data.isDigits ? new Float32Array() : data.points.slice(0, 2 * data.count);
        told.targets = data.target.slice(0, data.count);
    }
    postMessage(told);
}

const ACTIONS = {
    start({ modules, tables, points, grid, digits }) {
        const kernels = new Kernels(modules, 20_000_000);
        data = new Data(kernels, tables, points, grid, digits);
        seen = {
            scale: kernels.array(1), pictures: kernels.outputs("pictures").results, output: kernels.outputs("output").results,
            there: kernels.array(WIDTH), counts: kernels.outputs("histogram").results, digits: kernels.outputs("digits_seen"),
            weights: kernels.outputs("weights_seen").results, values: kernels.outputs("values_seen").results,
        };
        network = new Network(kernels, data, tables);
        beside = new Network(kernels, data, tables);
        postMessage({ kind: "ready" });
    },
    choose(request) {
        data.choose(request.state);
        const { state, fresh } = request;
        network.choose(state, fresh, data.isDigits ? "backprop" : state.rule);
        beside.choose(state, fresh, data.isDigits ? "none" : state.beside);
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
    fit({ number, points, target }) {
        const rows = target.length, { given, found } = data.fitted;
        given.points.set(points);
        given.target.set(target);
        data.kernels.call("fitted", given, found, rows);
        const at = (i) => [found.points[2 * i], found.points[2 * i + 1], found.target[i]];
        postMessage({ kind: "fitted", number, points: Array.from({ length: rows }, (_, i) => at(i)) });
    },
    look(request) {
        answer(request);
    },
    parameter(request) {
        network.parameters[request.at] = request.value * network.mask[request.at];
        network.forget();
        answer(request);
    },
    parameters(request) {
        network.take(request.values);
        if (request.epoch !== undefined) network.epoch = request.epoch;
        answer(request);
    },
};
