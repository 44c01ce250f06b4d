// A model of the reader's own: trains live, and answers to what is drawn.
const COLOURS = [
    [217, 95, 2], [8, 119, 189], [27, 135, 85], [184, 62, 140], [140, 110, 20], [100, 80, 190],
    [200, 50, 50], [20, 140, 150], [110, 110, 110], [90, 130, 30],
];
const { classes } = TOLD.lesson, side = TOLD.lesson.side;
let playing = false, waiting = true, redraw = false, frame = null, asked = 0;
let drawn = side ? new Float32Array(side * side) : null, cursor = 0;
const curve = new Curve();
const worker = new Worker(URL.createObjectURL(new Blob([TOLD.worker], { type: "text/javascript" })));

function ask(request) {
    waiting = true;
    asked += 1;
    worker.postMessage({ number: asked, drawn, rate: rate(), milliseconds: 12, ...request });
}

function rate() {
    const number = field("rate").valueAsNumber;
    return TOLD.lesson.rate === null || !(number > 0 && number < 1000) ? null : number;
}

function look() {
    ask({ kind: "look" });
}

// The class with the largest share in a row; of one share, whether it is more than a half.
function classOf(shares, row) {
    const width = shares.length / rowsOf(shares);
    if (width === 1) return shares[row] > 0.5 ? 1 : 0;
    const part = shares.subarray(width * row, width * (row + 1));
    return part.indexOf(Math.max(...part));
}

function rowsOf(shares) {
    return shares.length / TOLD.lesson.width;
}

function show() {
    field("epoch").textContent = frame.epoch.toLocaleString("en");
    const loss = TOLD.lesson.loss, test = frame.test;
    field("train-loss").textContent = frame.train[loss].toPrecision(4);
    field("test-loss").textContent = test ? test[loss].toPrecision(4) : "–";
    curve.add(frame.epoch, frame.train[loss], test?.[loss]);
    curve.draw();
    showConfusion();
    if (frame.surface) showPlane();
    if (frame.drawn) showAnswer();
    document.body.dataset.shown = frame.number;
    if (!Number.isFinite(frame.train[loss])) {
        play(false);
        field("message").textContent = "The loss is no number any more: the steps were too long.";
    }
}

function showConfusion() {
    const truth = TOLD.lesson.truth, counts = classes.map(() => classes.map(() => 0));
    truth.forEach((label, row) => { counts[label][classOf(frame.tested, row)] += 1; });
    const right = counts.reduce((sum, row, i) => sum + row[i], 0);
    field("accuracy").textContent = truth.length ? `${(100 * right / truth.length).toFixed(1)} %` : "–";
    const head = element("tr", {}, element("td"), ...classes.map((name) => element("th", { textContent: name, scope: "col" })));
    const rows = counts.map((row, i) => element("tr", {}, element("th", { textContent: classes[i], scope: "row" }),
        ...row.map((count, j) => element("td", { textContent: count || "·", className: i === j ? "right" : count ? "wrong" : "" }))));
    field("confusion").replaceChildren(element("table", {}, head, ...rows));
}

function shade(label) {
    return COLOURS[label % COLOURS.length];
}

// Each place has the colours of the classes, by their shares.
function showPlane() {
    const canvas = field("plane"), context = canvas.getContext("2d"), { width, grid, reach } = TOLD.lesson;
    const image = new ImageData(grid, grid), page = isDark() ? 30 : 255;
    for (let i = 0; i < grid * grid; i++) {
        const shares = width === 1 ? [1 - frame.surface[i], frame.surface[i]] : frame.surface.subarray(width * i, width * (i + 1));
        for (let k = 0; k < 3; k++) {
            const mixed = shares.reduce((sum, share, label) => sum + share * shade(label)[k], 0);
            image.data[4 * i + k] = 0.6 * mixed + 0.4 * page;
        }
        image.data[4 * i + 3] = 255;
    }
    const small = new OffscreenCanvas(grid, grid);
    small.getContext("2d").putImageData(image, 0, 0);
    context.drawImage(small, 0, 0, canvas.width, canvas.height);
    for (const [x, y, label] of TOLD.lesson.points) {
        context.beginPath();
        context.arc((x - reach[0]) / (reach[1] - reach[0]) * canvas.width, (reach[3] - y) / (reach[3] - reach[2]) * canvas.height, 3.2, 0, 7);
        context.fillStyle = `rgb(${shade(label).join(",")})`;
        context.strokeStyle = isDark() ? "#14171b" : "#ffffff";
        context.fill();
        context.stroke();
    }
}

function showDrawn() {
    const context = field("drawn").getContext("2d"), image = context.createImageData(side, side);
    drawn.forEach((ink, i) => {
        const level = isDark() ? 30 + 225 * ink : 255 - 235 * ink;
        image.data.set([level, level, level, 255], 4 * i);
    });
    context.putImageData(image, 0, 0);
    if (document.activeElement !== field("drawn")) return;
    context.fillStyle = "rgba(220, 60, 30, 0.6)";
    context.fillRect(cursor % side, Math.floor(cursor / side), 1, 1);
}

function showAnswer() {
    const shares = TOLD.lesson.width === 1 ? [1 - frame.drawn[0], frame.drawn[0]] : [...frame.drawn];
    const empty = drawn.every((ink) => ink === 0);
    field("answer").textContent = empty ? "Nothing is drawn yet." : `It is taken for ${classes[classOf(frame.drawn, 0)]}.`;
    if (field("shares").children.length === 0) {
        field("shares").append(...classes.map((name) => element("div", { className: "share" },
            element("span", { textContent: name }), element("meter", { min: 0, max: 1, ariaLabel: `share of ${name}` }), element("span"))));
    }
    [...field("shares").children].forEach((line, i) => {
        line.children[1].value = empty ? 0 : shares[i];
        line.children[2].textContent = empty ? "" : `${(100 * shares[i]).toFixed(1)} %`;
    });
}

// Ink on a cell and a little on those beside it.
function ink(x, y, share) {
    for (const [dx, dy, part] of [[0, 0, 1], [1, 0, 0.3], [-1, 0, 0.3], [0, 1, 0.3], [0, -1, 0.3]]) {
        const [u, v] = [x + dx, y + dy];
        if (u >= 0 && v >= 0 && u < side && v < side) drawn[side * v + u] = Math.min(1, drawn[side * v + u] + part * share);
    }
    showDrawn();
    look();
}

function prepareDrawing() {
    const canvas = field("drawn");
    field("draw-part").hidden = false;
    canvas.width = canvas.height = side;
    let last = -1;
    const draw = (event) => {
        const box = canvas.getBoundingClientRect();
        const x = Math.floor((event.clientX - box.left) / box.width * side), y = Math.floor((event.clientY - box.top) / box.height * side);
        if (side * y + x !== last) ink(x, y, 0.8);
        last = side * y + x;
    };
    canvas.addEventListener("pointerdown", (event) => { last = -1; draw(event); });
    canvas.addEventListener("pointermove", (event) => { if (event.buttons) draw(event); });
    const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -side, ArrowDown: side };
    canvas.addEventListener("keydown", (event) => {
        if (event.key === " ") ink(cursor % side, Math.floor(cursor / side), 0.8);
        else if (moves[event.key]) cursor = Math.max(0, Math.min(side * side - 1, cursor + moves[event.key]));
        else return;
        event.preventDefault();
        showDrawn();
    });
    for (const name of ["focus", "blur"]) canvas.addEventListener(name, showDrawn);
    let row = 0;
    field("clear").addEventListener("click", () => { drawn.fill(0); showDrawn(); look(); });
    field("another").addEventListener("click", () => {
        drawn = Float32Array.from(TOLD.lesson.examples[row++ % TOLD.lesson.examples.length]);
        showDrawn();
        look();
    });
    showDrawn();
}

function play(wanted) {
    playing = wanted;
    field("play").querySelector(".name").textContent = playing ? "Pause" : "Train";
    field("play").firstChild.textContent = playing ? "❚❚" : "▶";
}

function again(trained) {
    play(false);
    curve.clear();
    ask({ kind: "reset", trained });
}

function tick() {
    if (redraw) {
        redraw = false;
        show();
    }
    if (playing && !waiting) ask({ kind: "advance", epochs: 1 });
    requestAnimationFrame(tick);
}

worker.onerror = () => {
    field("message").textContent = "It cannot run here: the browser knows no WebAssembly with vectors, or has met an error.";
};
worker.onmessage = ({ data }) => {
    if (data.kind === "ready") look();
    else if (data.number === asked) {
        waiting = false;
        frame = data;
        redraw = true;
    }
};
field("play").addEventListener("click", () => play(!playing));
field("step").addEventListener("click", () => { play(false); ask({ kind: "advance", epochs: 1 }); });
field("reset").addEventListener("click", () => again(false));
field("trained").addEventListener("click", () => again(true));
field("trained").hidden = !TOLD.program.told.begins;
field("rate-part").hidden = TOLD.lesson.rate === null;
field("rate").value = TOLD.lesson.rate ?? "";
field("graph").src = TOLD.graph;
if (TOLD.lesson.grid) {
    field("plane-part").hidden = false;
    field("plane-keys").append(...classes.map((name, label) => {
        const swatch = element("canvas", { width: 14, height: 14 });
        swatch.getContext("2d").fillStyle = `rgb(${shade(label).join(",")})`;
        swatch.getContext("2d").fillRect(0, 0, 14, 14);
        return element("span", { className: "swatch" }, swatch, ` ${name}`);
    }));
}
if (side) prepareDrawing();
if (!side && !TOLD.lesson.grid) field("try-part").hidden = true;
worker.postMessage({ kind: "start", ...TOLD.program });
requestAnimationFrame(tick);
