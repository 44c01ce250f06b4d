// A step on the rows of a batch, as calls of functions: forward, backward, and the update.
function wayForward(network, x, slots) {
    return network.state.layers.map(({ activation }, layer) => [
        `forward_${activation}`,
        { x: network.entry(layer, x), ...network.parts(layer, slots.parameters) },
        network.layers[layer],
    ]);
}

function wayBack(network, gradient, { x, target }, slots = network.slots[network.now]) {
    const { depth, layers, error } = network, calls = [];
    const at = (layer) => network.parts(layer, slots.parameters);
    const results = (layer) => ({ ...network.parts(layer, gradient), x: layers[layer].above, error });
    calls.push([network.head, { x: network.entry(depth, x), target, ...at(depth) }, results(depth)]);
    for (let layer = depth - 1; layer >= 0; layer--) {
        const way = layer ? "backward" : "first", { z, values } = layers[layer];
        const inputs = { x: network.entry(layer, x), z, values, above: layers[layer + 1].above, ...at(layer) };
        calls.push([`${way}_${network.state.layers[layer].activation}`, inputs, results(layer)]);
    }
    return calls;
}

// The calls of a step that reads one set of slots and writes the other.
function batchOf(network, from, to) {
    const { data, state, kernels, depth } = network, { signal, pulled } = network.spare;
    const rows = { x: data.inputs, target: data.target };
    const walked = new Map([[data.inputs, 4 * WIDTH], [data.target, 4]]);
    const walks = [...wayForward(network, data.inputs, from), ...wayBack(network, signal, rows, from)]
        .map(([name, inputs, outputs]) => kernels.bound(name, inputs, outputs, 1, walked));
    const isPulled = state.l1 > 0 || state.l2 > 0, blocks = depth + 1;
    const given = { ...network.numbers, ...from, mask: network.mask };
    const pull = kernels.bound("penalised", { ...given, gradient: signal }, { results: pulled }, blocks);
    const update = kernels.bound(
        `update_${state.optimizer}`, { ...given, gradient: isPulled ? pulled : signal },
        { ...to, results: to.parameters }, blocks,
    );
    return { walks, calls: [...walks, ...(isPulled ? [pull] : []), update], rows: 0 };
}

function run(batch, row, rows) {
    for (const { values, moved } of batch.walks) {
        for (const [at, start, bytes] of moved) values[at] = start + bytes * row;
    }
    if (rows !== batch.rows) {
        batch.rows = rows;
        for (const { values, rowsAt } of batch.walks) values[rowsAt] = BigInt(rows);
    }
    for (const { call, values } of batch.calls) call(...values);
}
