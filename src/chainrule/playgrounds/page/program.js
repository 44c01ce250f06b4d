// What is chosen as a program of the library.
const FEATURE_CODE = {
    x1: "x[:, 0]", x2: "x[:, 1]", x1x1: "x[:, 0] ** 2", x2x2: "x[:, 1] ** 2", x1x2: "x[:, 0] * x[:, 1]",
    sin1: "cr.sin(x[:, 0])", sin2: "cr.sin(x[:, 1])", radius: "cr.sqrt(x[:, 0] ** 2 + x[:, 1] ** 2)",
};
const INIT_CODE = {
    uniform: "init.uniform(-0.5, 0.5)", xavier: "init.xavier_uniform()", he: "init.he_normal()",
    large: "init.normal(2.0)", zeros: "init.zeros()",
};

function programOf(state, data) {
    if (state.data === "digits") return programOfDigits(state, data);
    const inputs = state.features.map((name) => FEATURE_CODE[name]);
    const isClasses = !TOLD.regressions.includes(state.data), isLogistic = isClasses && state.loss === "logistic";
    const layers = layersCode(state, isClasses && !isLogistic ? ["nn.Tanh(),"] : []);
    const error = isLogistic ? "cr.mean(cr.softplus(-target * output))" : "0.5 * cr.mean((output - target) ** 2)";
    const rows = Array.from(data.targets, (target, i) => (
        `    (${[data.points[2 * i], data.points[2 * i + 1], target].map((each) => Number(each.toFixed(4))).join(", ")}),`
    ));
    const training = Math.max(1, Math.ceil(rows.length * state.split / 100));
    return [
        "import numpy as np", "", "import chainrule as cr", "from chainrule import init, learning, nn, optim, regularize, schedules", "",
        'x, target = cr.input("x", ("batch", 2)), cr.input("target", ("batch",))',
        `features = cr.stack([${inputs.join(", ")}], axis=1)`, "network = nn.Sequential(",
        ...layers.map((layer) => `    ${layer}`), ")", "output = network(features)[:, 0]", `loss = ${error}`,
        ...trainingCode(state, training), "",
        "rows = np.array([", ...rows, "], dtype=np.float32)",
        `count = ${training}  # the others test`,
        'data = {"x": rows[:count, :2], "target": rows[:count, 2]}',
        'held = {"x": rows[count:, :2], "target": rows[count:, 2]}',
        "result = program.run(data, validation=held)", "",
    ].join("\n");
}

function programOfDigits(state, data) {
    const count = data.targets.length, training = Math.ceil(count * state.split / 100), noise = state.noise / 100;
    const strayed = `x = x + ${noise} * np.random.default_rng(${state.seed}).normal(size=x.shape).astype(np.float32)  # other draws than the page's`;
    return [
        "import numpy as np", "", "import chainrule as cr", "from chainrule import datasets, init, losses, nn, optim, regularize, schedules", "",
        'pixels, label = cr.input("pixels", ("batch", 64)), cr.input("label", ("batch",), dtype="int32")',
        "network = nn.Sequential(", ...layersCode(state, []).map((layer) => `    ${layer}`), ")",
        "loss = losses.cross_entropy(network(pixels), label)", ...trainingCode(state, training), "",
        `x, y = (each[:${count}] for each in (datasets.digits().train.x, datasets.digits().train.y))`, ...(noise ? [strayed] : []),
        `count = ${training}  # the others test`,
        'data = {"pixels": x[:count], "label": y[:count]}', 'held = {"pixels": x[count:], "label": y[count:]}',
        "result = program.run(data, validation=held)", "",
    ].join("\n");
}

// The layers, and what is behind the last of them.
function layersCode(state, last) {
    const sizes = sizesOf(state), init = INIT_CODE[state.initialisation];
    return sizes.slice(1).flatMap((size, i) => {
        const linear = `nn.Linear(${sizes[i]}, ${size}, init=${init}),`, layer = state.layers[i];
        if (!layer) return [linear, ...last];
        const code = TOLD.activations[layer.activation].code.replace("{inputs}", sizes[i]).replace("{size}", size).replace("{init}", init);
        return [
            ...(layer.activation === "maxout" ? [] : [linear]), ...(code ? [`nn.${code},`] : []),
            ...(state.norm === "batch" ? [`nn.BatchNorm1d(${size}, affine=False),`] : []),
            ...(state.dropout ? [`nn.Dropout(${state.dropout}),`] : []),
        ];
    });
}

// From the loss the program that trains.
function trainingCode(state, training) {
    const batch = Math.min(Math.max(state.batch, state.norm === "batch" ? 2 : 1), training);
    const code = state.data === "digits" ? "" : TOLD.rules[state.rule].code;
    const rule = code ? `, rule=learning.${code}, model=network` : "";
    const rate = rateCode(state, state.span * Math.ceil(training / batch));
    return [
        ...penalties(state),
        `step = optim.${TOLD.optimizers[state.optimizer].code.replace("{rate}", rate)}.minimize(loss${rule})`,
        `program = cr.compile(cr.training(step, epochs=200, batch_size=${batch}, seed=${state.seed}))`,
    ];
}

function penalties(state) {
    const found = ["l1", "l2"].filter((name) => state[name]).map((name) => `regularize.${name}(${state[name]}, weights)`);
    if (!found.length) return [];
    return ["weights = [each for each in network.parameters() if each.ndim > 1]", `loss = ${["loss", ...found].join(" + ")}`];
}

function rateCode(state, steps) {
    const code = TOLD.schedules[state.schedule].code, quarter = Math.max(1, Math.round(steps / 4));
    return code.replace("{rate}", state.rate).replace("{steps}", steps).replace("{quarter}", quarter);
}
