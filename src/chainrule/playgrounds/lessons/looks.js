// Looks into the network: pictures as bytes, which a function of the worker gives.
const CELL = 22, LETTERS = 6;  // of a token's place, in pixels, and what is shown of it

function channels(name) {
    return colour(name).match(/\w\w/g).map((digits) => parseInt(digits, 16));
}

// Pictures of one look, each with what it is called; letters name the places of both axes.
function drawLook(place, { title, letters }, { values, shape }, text) {
    const [count, height, width] = shape, ramp = rampOf(channels("--minus"), channels("--page"), channels("--plus"));
    while (place.children.length < count) {
        const ariaLabel = count > 1 ? `${title}, number ${place.children.length + 1}` : title;
        place.append(element("canvas", { role: "img", ariaLabel, className: letters ? "letters" : "" }));
    }
    for (let i = 0; i < count; i++) {
        const shown = letters ? Math.max(1, text.length) : null;
        const picture = new ImageData(shown ?? width, shown ?? height), pixels = new Uint32Array(picture.data.buffer);
        for (let y = 0, at = 0; y < picture.height; y++) {
            for (let x = 0; x < picture.width; x++) pixels[at++] = ramp[values[(i * height + y) * width + x]];
        }
        if (letters) drawLetters(place.children[i], picture, text);
        else drawSmall(place.children[i], picture);
    }
}

function drawSmall(canvas, picture) {
    canvas.width = picture.width;
    canvas.height = picture.height;
    canvas.getContext("2d").putImageData(picture, 0, 0);
}

// Names beside the rows and over the columns, there from below where they are longer than a letter.
function drawLetters(canvas, picture, text) {
    const names = text.map((each) => ({ "new line": "⏎", space: "" })[each] ?? each.slice(0, LETTERS));
    const longest = Math.max(1, ...names.map((each) => each.length)), isLong = longest > 1;
    const margin = isLong ? 10 * longest + 8 : CELL, context = canvas.getContext("2d");
    canvas.width = canvas.height = margin + CELL * picture.width;
    const small = new OffscreenCanvas(picture.width, picture.height);
    small.getContext("2d").putImageData(picture, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(small, margin, margin, canvas.width - margin, canvas.height - margin);
    context.fillStyle = colour("--ink");
    context.font = `${isLong ? 16 : CELL - 2}px ui-monospace, monospace`;
    context.textAlign = isLong ? "right" : "center";
    const end = isLong ? margin - 4 : CELL / 2;
    names.forEach((name, i) => context.fillText(name, end, margin + CELL * (i + 1) - 4));
    if (!isLong) names.forEach((name, i) => context.fillText(name, margin + CELL * (i + 0.5), CELL - 4));
    if (!isLong) return;
    context.rotate(Math.PI / 2);
    names.forEach((name, i) => context.fillText(name, end, -margin - CELL * i - 6));
    context.resetTransform();
}

function prepareLooks() {
    field("looks-part").hidden = TOLD.lesson.looks.length === 0;
    field("looks").append(...TOLD.lesson.looks.map((look, i) => element(
        "div", {}, element("h3", { textContent: look.title }), element("div", { className: "tiles", id: `look-${i}` }),
        element("p", { className: "quiet", textContent: look.told }), element("p", { className: "quiet", id: `most-${i}` }),
    )));
}

function showLooks(results, text = []) {
    TOLD.lesson.looks.forEach((look, i) => {
        drawLook(field(`look-${i}`), look, results[`bytes${i}`], text);
        field(`most-${i}`).textContent = `The strongest: ${results[`most${i}`].values[0].toPrecision(2)}`;
    });
}
