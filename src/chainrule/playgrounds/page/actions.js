const MOST_ROWS_TEXT = 200_000;
let fitting = 0, opening = 0;  // files that have been given

// The buttons, own points, files and links.
function on(id, event, action) {
    field(id).addEventListener(event, action);
}

on("play", "click", () => play(!playing));
on("step", "click", doStep);
on("reset", "click", () => {
    play(false);
    say("");
    take(state, true);
});
on("undo", "click", undo);
on("fewer-layers", "click", () => change("depth", (next) => { next.layers.pop(); }));
on("more-layers", "click", () => change("depth", (next) => {
    const last = next.layers.at(-1) ?? { size: 4, activation: "tanh" };
    next.layers.push({ ...last });
}));
on("show-test", "change", look);
on("show-example", "change", look);
on("example", "change", look);
on("next-digit", "click", () => {
    if (!frame) return;
    const before = field("example").valueAsNumber || 0, count = data.targets.length;
    field("example").value = String(Math.max(frame.training, (before + 1) % count) % count);
    look();
});
on("example-back", "click", () => moveExample(-1));
on("example-on", "click", () => moveExample(1));

on("output", "click", (event) => {
    const box = field("output").getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width * 2 - 1) * EDGE;
    const y = (1 - (event.clientY - box.top) / box.height * 2) * EDGE;
    if (state.data === "own") addPoints([[x, y, Number(document.querySelector("[name=class]:checked").value)]]);
    else nearest(x, y);
});

function addPoints(points) {
    if (state.own.length + points.length > MOST_OWN) {
        say(`${MOST_OWN} points are the most.`);
        return;
    }
    change("own", (next) => { own(next, points, next.own); });
}

// The state gets points behind those that stay.
function own(next, points, kept) {
    next.data = "own";
    next.own = [...kept, ...points.map((point) => point.map((each) => Math.round(100 * each) / 100))];
}

// The row of the example that is nearest to a place.
function nearest(x, y) {
    let best = 0, least = Infinity;
    for (let row = 0; row < data.targets.length; row++) {
        const distance = Math.hypot(data.points[2 * row] - x, data.points[2 * row + 1] - y);
        if (distance < least) [best, least] = [row, distance];
    }
    field("example").value = String(best);
    field("show-example").checked = true;
    look();
}

// Rows of numbers, and which of them first is none.
function rowsOf(text) {
    const lines = text.slice(0, MOST_ROWS_TEXT).split("\n").map((line) => line.trim()).filter(Boolean);
    const rows = lines.map((line) => line.split(/[\s,;]+/).map(Number));
    return { rows, bad: rows.findIndex((row) => row.length < 3 || !row.every(Number.isFinite)) };
}

on("use-rows", "click", () => {
    const { rows } = rowsOf(field("rows").value);
    const bad = rows.findIndex((row) => (
        row.length !== 3 || !row.every(Number.isFinite) || Math.max(Math.abs(row[0]), Math.abs(row[1])) > EDGE || Math.abs(row[2]) > 1
    ));
    if (bad >= 0) say(`Line ${bad + 1} is not two numbers from −6 to 6 and a target from −1 to 1.`);
    else if (rows.length) addPoints(rows);
});

// A table with or without a head, whose last three columns count.
async function takeFile(file) {
    if (!file) return;
    const number = ++fitting, text = (await file.text()).replace(/^\uFEFF/, ""), [head] = text.split("\n", 1);
    if (number !== fitting) return;  // another file was given while this one was read
    const isHead = head.split(/[\s,;]+/).some((each) => each && !Number.isFinite(Number(each)));
    const { rows, bad } = rowsOf(isHead ? text.slice(head.length) : text);
    if (file.size > MOST_ROWS_TEXT || bad >= 0 || !rows.length) {
        const line = bad + (isHead ? 2 : 1);
        say(bad >= 0 ? `Line ${line} of ${file.name} is not three or more numbers.` : `${file.name} is empty, or too large.`);
        return;
    }
    const kept = rows.slice(0, MOST_OWN).map((row) => row.slice(-3));
    worker.postMessage({ kind: "fit", number, points: kept.flatMap(([x, y]) => [x, y]), target: kept.map((row) => row[2]) });
    say(`${kept.length} rows of ${file.name}, stretched to fit${rows.length > kept.length ? `: the first of ${rows.length}` : ""}.`);
}

on("rows-file", "change", async () => {
    await takeFile(field("rows-file").files[0]);
    field("rows-file").value = "";
});
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
    event.preventDefault();
    takeFile(event.dataTransfer.files[0]);
});
on("no-points", "click", () => change("data", (next) => { next.own = []; }));

on("share", "click", async () => {
    const address = location.href;
    try {
        await navigator.clipboard.writeText(address);
        say("The link is copied.");
    } catch {
        say("The link is the address of this page; the browser does not let it be copied.");
    }
});

on("save", "click", () => {
    if (!settled) return;
    const text = JSON.stringify({ state: fragmentOf(state), epoch: frame.epoch, parameters: Array.from(frame.parameters) });
    const link = element("a", { href: URL.createObjectURL(new Blob([text])), download: "network.json" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);  // some browsers read it later
});

on("open", "change", async () => {
    const [file] = field("open").files, number = ++opening;
    const found = file && file.size < 100_000 ? opened(await file.text()) : null;
    if (number !== opening) return;  // another file was opened while this one was read
    field("open").value = "";
    if (!found) {
        say("This file is none that the page has saved.");
        return;
    }
    remember();
    take(found.state, true);
    ask({ kind: "parameters", values: found.parameters, epoch: found.epoch });
    say("Opened.");
});

// What a file holds, if all of it is as it should be.
function opened(text) {
    let told;
    try {
        told = JSON.parse(text);
    } catch {
        return null;
    }
    if (typeof told?.state !== "string" || !Array.isArray(told.parameters)) return null;
    const { state: found, refused: bad } = stateOf(told.state);
    const isNumber = (each) => typeof each === "number" && Number.isFinite(each) && Math.abs(each) < 1e6;
    const fits = told.parameters.length === layoutOf(found).end && told.parameters.every(isNumber);
    const isCount = Number.isSafeInteger(told.epoch) && told.epoch >= 0;
    return !bad && fits && isCount ? { state: found, parameters: Float32Array.from(told.parameters), epoch: told.epoch } : null;
}

on("program-part", "toggle", () => {
    field("program").textContent = field("program-part").open ? programOf(state, data) : "";
});

on("theme", "change", () => {
    document.documentElement.dataset.theme = field("theme").value;
    makeRamp();
    look();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    makeRamp();
    look();
});
addEventListener("hashchange", () => {
    const found = stateOf(location.hash.slice(1));
    if (fragmentOf(found.state) === fragmentOf(state)) return;
    play(false);
    take(found.state, true);
    say(found.refused ? `${found.refused} of the address cannot be used; what is usual stands instead.` : "");
});
