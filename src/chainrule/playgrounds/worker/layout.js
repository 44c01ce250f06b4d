// Where the numbers of a network stand in one array: of each layer the weights of a neuron beside
// each other and then the biases; behind all layers the second parts that PReLU and maxout have.
const WIDTH = 8, BLOCK = 72, DEEPEST = 6, PIXELS = 64, CLASSES = 10;
const SLOPE = 0.25;  // of PReLU, at first
const MOST_BLOCKS = 32;  // of all layers, when there are as many as can be

function isWide(activation) {
    return activation === "prelu" || activation === "maxout";
}

function layoutOf(state) {
    const isDigits = state.data === "digits", depth = state.layers.length;
    let end = 0;
    const place = (layer) => {
        const inputs = isDigits && layer === 0 ? PIXELS : WIDTH, outputs = isDigits && layer === depth ? CLASSES : WIDTH;
        const at = end, count = BLOCK * Math.ceil((inputs + 1) * outputs / BLOCK);
        end += count;
        return { at, inputs, outputs, biases: at + inputs * outputs, count };
    };
    const layers = Array.from({ length: depth + 1 }, (_, layer) => ({ first: place(layer) }));
    if (state.layers.some((layer) => isWide(layer.activation))) {
        for (let layer = 0; layer < depth; layer++) layers[layer].second = place(layer);
    }
    return { layers, end, blocks: end / BLOCK };
}

// How many numbers a row has at each layer, from the features to the output.
function sizesOf(state) {
    const isDigits = state.data === "digits";
    return [isDigits ? PIXELS : state.features.length, ...state.layers.map((layer) => layer.size), isDigits ? CLASSES : 1];
}
