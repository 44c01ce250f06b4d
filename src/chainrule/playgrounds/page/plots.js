// Pictures on canvases: bytes of the worker through a scale of colours.
const RAMPS = { light: [[217, 95, 2], [247, 247, 247], [8, 119, 189]], dark: [[255, 154, 77], [38, 43, 50], [88, 180, 240]] };
let ramp = null;

function makeRamp() {
    colours.clear();
    ramp = rampOf(...RAMPS[isDark() ? "dark" : "light"]);
    const context = field("scale").getContext("2d"), image = context.createImageData(160, 10);
    const pixels = new Uint32Array(image.data.buffer);
    for (let i = 0; i < pixels.length; i++) pixels[i] = ramp[Math.floor((i % 160) * 256 / 160)];
    context.putImageData(image, 0, 0);
}

function drawSurface(canvas, bytes) {
    const side = Math.sqrt(bytes.length);
    if (canvas.width !== side) canvas.width = canvas.height = side;
    const image = imageOf(side), pixels = new Uint32Array(image.data.buffer);
    for (let i = 0; i < pixels.length; i++) pixels[i] = ramp[bytes[i]];
    canvas.getContext("2d").putImageData(image, 0, 0);
}

// One for each size: it is full again before anybody reads it.
const images = new Map();

function imageOf(side) {
    if (!images.has(side)) images.set(side, new ImageData(side, side));
    return images.get(side);
}

const small = document.createElement("canvas");
const drawn = { canvas: document.createElement("canvas"), key: [] };

function place(canvas, x, y) {
    return [(x + EDGE) / (2 * EDGE) * canvas.width, (EDGE - y) / (2 * EDGE) * canvas.height];
}

function drawOutput(id, bytes, frame, data, showTest, example) {
    const canvas = field(id), context = canvas.getContext("2d");
    drawSurface(small, bytes);
    context.imageSmoothingEnabled = true;
    context.fillStyle = ink();
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.globalAlpha = 0.6;  // so that points stand out
    context.drawImage(small, 0, 0, canvas.width, canvas.height);
    context.globalAlpha = 1;
    context.drawImage(pointsOf(canvas, data, frame.training, showTest), 0, 0);
    if (example !== null && 2 * example < data.points.length) drawRing(context, data.points, example);
}

function ink() {
    return isDark() ? "#14171b" : "#ffffff";
}

// The points, which stay where they are while the network learns.
function pointsOf(canvas, data, training, showTest) {
    const key = [data, training, showTest, ramp];
    if (key.every((each, i) => each === drawn.key[i])) return drawn.canvas;
    drawn.key = key;
    Object.assign(drawn.canvas, { width: canvas.width, height: canvas.height });
    const context = drawn.canvas.getContext("2d");
    for (let row = 0; row < data.targets.length; row++) {
        if (row < training || showTest) drawPoint(context, data, row, row >= training);
    }
    return drawn.canvas;
}

function drawPoint(context, data, row, isTest) {
    const [x, y] = place(context.canvas, data.points[2 * row], data.points[2 * row + 1]);
    const byte = Math.max(0, Math.min(255, Math.round(127.5 + 127.5 * data.targets[row])));
    const shade = `#${[0, 8, 16].map((at) => ((ramp[byte] >> at) & 255).toString(16).padStart(2, "0")).join("")}`;
    context.beginPath();
    context.arc(x, y, 3.2, 0, 7);
    context.lineWidth = isTest ? 1.6 : 1;
    context.fillStyle = isTest ? ink() : shade;
    context.strokeStyle = isTest ? shade : ink();
    context.fill();
    context.stroke();
}

function drawRing(context, points, row) {
    const [x, y] = place(context.canvas, points[2 * row], points[2 * row + 1]);
    context.beginPath();
    context.arc(x, y, 8, 0, 7);
    context.lineWidth = 2.5;
    context.strokeStyle = colour("--ink");
    context.stroke();
}

function layerName(layer, depth) {
    return layer === depth ? "output" : `layer ${layer + 1}`;
}

function drawNorms(norms) {
    const place = field("norms");
    if (place.children.length !== norms.length) {
        place.replaceChildren(...norms.map((_, i) => element(
            "div", { className: "norm" }, element("span", { textContent: layerName(i, norms.length - 1) }),
            element("meter", { min: -8, max: 1, ariaLabel: `gradient of ${layerName(i, norms.length - 1)}, power of ten` }),
            element("span"),
        )));
    }
    norms.forEach((norm, i) => {
        const [, meter, number] = place.children[i].children;
        meter.value = norm > 0 ? Math.log10(norm) : -8;
        number.textContent = norm === 0 ? "0" : norm.toExponential(1);
    });
}

function drawHistograms(histograms) {
    const place = field("histograms");
    if (place.children.length !== histograms.length) {
        place.replaceChildren(...histograms.map((_, i) => {
            const name = layerName(i, histograms.length);
            const canvas = element("canvas", { width: 100, height: 40, role: "img", ariaLabel: `values of ${name}` });
            return element("div", { className: "histogram" }, canvas, name);
        }));
    }
    histograms.forEach((counts, i) => {
        const context = place.children[i].firstChild.getContext("2d"), most = Math.max(1, ...counts);
        context.clearRect(0, 0, 100, 40);
        context.fillStyle = colour("--accent");
        counts.forEach((count, part) => {
            context.fillRect(5 * part, 40 - 40 * count / most, 4, 40 * count / most);
        });
    });
}
