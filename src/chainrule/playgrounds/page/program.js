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
    const inputs = state.features.map((name) => FEATURE_CODE[name]);
    const sizes = [inputs.length, ...state.layers.map((layer) => layer.size), 1];
    const isClasses = !TOLD.regressions.includes(state.data), isLogistic = isClasses && state.loss === "logistic";
    const layers = sizes.slice(1).flatMap((size, i) => {
        const linear = `nn.Linear(${sizes[i]}, ${size}, init=${INIT_CODE[state.initialisation]}),`;
        const activation = state.layers[i]?.activation ?? (isClasses && !isLogistic ? "tanh" : "linear");
        const bent = activation === "linear" ? [] : [`nn.${TOLD.activations[activation].code},`];
        const behind = state.layers[i] ? [
            ...(state.norm === "batch" ? [`nn.BatchNorm1d(${size}, affine=False),`] : []),
            ...(state.dropout ? [`nn.Dropout(${state.dropout}),`] : []),
        ] : [];
        return [linear, ...bent, ...behind];
    });
    const error = isLogistic ? "cr.mean(cr.softplus(-target * output))" : "0.5 * cr.mean((output - target) ** 2)";
    const rows = Array.from(data.targets, (target, i) => (
        `    (${[data.points[2 * i], data.points[2 * i + 1], target].map((each) => Number(each.toFixed(4))).join(", ")}),`
    ));
    const training = Math.max(1, Math.ceil(rows.length * state.split / 100));
    const batch = Math.min(Math.max(state.batch, state.norm === "batch" ? 2 : 1), training);
    const { code } = TOLD.rules[state.rule], rule = code ? `, rule=learning.${code}, model=network` : "";
    const rate = rateCode(state, state.span * Math.ceil(training / batch));
    return [
        "import numpy as np", "", "import chainrule as cr", "from chainrule import init, learning, nn, optim, regularize, schedules", "",
        'x, target = cr.input("x", ("batch", 2)), cr.input("target", ("batch",))',
        `features = cr.stack([${inputs.join(", ")}], axis=1)`, "network = nn.Sequential(",
        ...layers.map((layer) => `    ${layer}`), ")", "output = network(features)[:, 0]", `loss = ${error}`,
        ...penalties(state),
        `step = optim.${TOLD.optimizers[state.optimizer].code.replace("{rate}", rate)}.minimize(loss${rule})`,
        `program = cr.compile(cr.training(step, epochs=200, batch_size=${batch}, seed=${state.seed}))`, "",
        "rows = np.array([", ...rows, "], dtype=np.float32)",
        `count = ${training}  # the others test`,
        'data = {"x": rows[:count, :2], "target": rows[:count, 2]}',
        'held = {"x": rows[count:, :2], "target": rows[count:, 2]}',
        "result = program.run(data, validation=held)", "",
    ].join("\n");
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
