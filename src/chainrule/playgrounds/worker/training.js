// A step on the rows of a batch, as calls of functions: forward, backward, and the update.

// The calls that give the values of all hidden layers; in training those `to` get what is counted.
function wayForward(network, x, slots, to = null) {
    const { state, layers } = network, calls = [];
    state.layers.forEach(({ activation }, layer) => {
        const made = layers[layer];
        const inputs = { x: network.entry(layer, x, to !== null), ...network.parts(layer, slots.parameters) };
        calls.push([`forward_${activation}${network.from(layer)}`, inputs, { ...made, results: made.values }]);
        if (state.norm === "batch") {
            const given = { values: made.values, ...network.statistics(layer, slots) };
            calls.push(to
                ? ["normalised", given, { normal: made.normal, ...network.statistics(layer, to) }]
                : ["normalised_after", given, { results: made.normal }]);
        }
        if (to && state.dropout) {
            const values = state.norm === "batch" ? made.normal : made.values;
            const at = (from) => ({ draw: from.draws.subarray(layer, layer + 1) });
            calls.push(["dropped", { values, rate: network.numbers.dropout, ...at(slots) }, { ...made, ...at(to) }]);
        }
    });
    return calls;
}

// Those that give all gradients; what is read of a row are its features and its target.
function wayBack(network, gradient, { x, target }, slots, rule = null) {
    const { depth, layers, error } = network, calls = [], training = rule !== null;
    const at = (layer) => network.parts(layer, slots.parameters);
    const back = (layer) => network.parts(layer, rule === "feedback" ? network.feedback : slots.parameters);
    const results = (layer) => ({ ...network.parts(layer, gradient), x: layers[layer].above, error });
    const entry = (layer) => network.entry(layer, x, training);
    calls.push([network.head, { x: entry(depth), target, ...at(depth), back: back(depth).weights }, results(depth)]);
    for (let layer = depth - 1; layer >= 0; layer--) {
        const direct = rule === "direct", { z, z2, values } = layers[layer], { weights, weights2 } = back(layer);
        if (direct) calls.push(["direct", { error, back: network.direction(layer) }, { results: layers[layer + 1].above }]);
        const above = between(network, layer, slots, training, calls);
        const inputs = { x: entry(layer), z, z2, values, above, weights, weights2, slopes: at(layer).slopes };
        const way = layer && !direct ? "backward" : "first";
        calls.push([`${way}_${network.state.layers[layer].activation}${network.from(layer)}`, inputs, results(layer)]);
    }
    return calls;
}

// Back through what stands behind a layer: where its gradient is then.
function between(network, layer, slots, training, calls) {
    const { state, layers, sent } = network, { kept, values } = layers[layer];
    let { above } = layers[layer + 1];
    if (training && state.dropout) {
        calls.push(["dropped_backward", { above, kept }, { results: sent.dropped }]);
        above = sent.dropped;
    }
    if (state.norm !== "batch") return above;
    const name = training ? "normalised_backward" : "normalised_after_backward";
    calls.push([name, { values, above, ...network.statistics(layer, slots) }, { results: sent.normal }]);
    return sent.normal;
}

// A step that reads one set of slots and writes the other, as a function of its rows.
function stepOf(network, from, to) {
    const { data, state, kernels, layout, numbers, mask, pulls } = network, { signal, pulled } = network.spare;
    const rows = { x: data.inputs, target: data.target };
    const walked = new Map([[data.inputs, 4 * data.width], [data.target, 4]]);
    const calls = [...wayForward(network, data.inputs, from, to), ...wayBack(network, signal, rows, from, network.rule)]
        .map(([name, inputs, outputs]) => ({ ...kernels.bound(name, inputs, outputs, 1, walked), walks: true }));
    const given = { ...numbers, ...from, mask, pulls, gradient: signal };
    const add = (name, outputs) => calls.push(kernels.bound(name, given, outputs, layout.blocks));
    if (state.l1 > 0 || state.l2 > 0) {
        add("penalised", { results: pulled });
        given.gradient = pulled;
    }
    if (state.schedule !== "constant") {
        add(`scheduled_${state.schedule}`, { rate: network.rate, done: to.done });
        given.lr = network.rate;
    }
    add(`update_${state.optimizer}`, { ...to, results: to.parameters });
    return joined(calls);
}
