// A picture that the reader draws, takes from the test data, or drops as a file.
const RED = [220, 40, 40];
const [depth, tall, wide] = TOLD.lesson.size ?? [0, 0, 0], [low, high] = TOLD.lesson.levels;
let drawn = new Float32Array(depth * tall * wide).fill(low), cursor = 0, pixels = null, saliency = null;

function showDrawn() {
    const context = field("drawn").getContext("2d"), image = context.createImageData(wide, tall);
    const area = tall * wide, dark = isDark(), covers = saliency && field("show-saliency").checked;
    for (let i = 0; i < area; i++) {
        for (let k = 0; k < 3; k++) {
            const ink = (drawn[(depth === 3 ? k : 0) * area + i] - low) / (high - low || 1);
            const level = depth === 3 ? 255 * ink : dark ? 30 + 225 * ink : 255 - 235 * ink;
            image.data[4 * i + k] = covers ? level + (RED[k] - level) * saliency[i] : level;
        }
        image.data[4 * i + 3] = 255;
    }
    context.putImageData(image, 0, 0);
    if (document.activeElement !== field("drawn")) return;
    context.fillStyle = "rgba(220, 60, 30, 0.6)";
    context.fillRect(cursor % wide, Math.floor(cursor / wide), 1, 1);
}

function isEmpty() {
    return drawn.every((ink) => ink === low);
}

// Ink on a cell and a little on those beside it.
function ink(x, y, share) {
    for (const [dx, dy, part] of [[0, 0, 1], [1, 0, 0.3], [-1, 0, 0.3], [0, 1, 0.3], [0, -1, 0.3]]) {
        const [u, v] = [x + dx, y + dy];
        if (u < 0 || v < 0 || u >= wide || v >= tall) continue;
        for (let at = wide * v + u; at < drawn.length; at += tall * wide) {
            drawn[at] = Math.min(high, drawn[at] + part * share * (high - low));
        }
    }
    showDrawn();
    look();
}

function take(picture) {
    drawn = picture;
    pixels = null;
    say("");
    showDrawn();
    look();
}

function prepareDrawing() {
    const canvas = field("drawn");
    field("draw-part").hidden = false;
    canvas.width = wide;
    canvas.height = tall;
    canvas.style.aspectRatio = `${wide} / ${tall}`;
    let last = -1;
    const draw = (event) => {
        const box = canvas.getBoundingClientRect();
        const x = Math.floor((event.clientX - box.left) / box.width * wide), y = Math.floor((event.clientY - box.top) / box.height * tall);
        if (wide * y + x !== last) ink(x, y, 0.8);
        last = wide * y + x;
    };
    canvas.addEventListener("pointerdown", (event) => { last = -1; draw(event); });
    canvas.addEventListener("pointermove", (event) => { if (event.buttons) draw(event); });
    const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -wide, ArrowDown: wide };
    canvas.addEventListener("keydown", (event) => {
        if (event.key === " ") ink(cursor % wide, Math.floor(cursor / wide), 0.8);
        else if (moves[event.key]) cursor = Math.max(0, Math.min(tall * wide - 1, cursor + moves[event.key]));
        else return;
        event.preventDefault();
        showDrawn();
    });
    for (const name of ["focus", "blur"]) canvas.addEventListener(name, showDrawn);
    field("show-saliency").addEventListener("change", showDrawn);
    let row = 0;
    const { examples } = TOLD.lesson, example = () => Float32Array.from(examples[row++ % examples.length]);
    if (examples.length) drawn = example();  // so that the maps of the network show something
    field("clear").addEventListener("click", () => take(new Float32Array(drawn.length).fill(low)));
    field("another").addEventListener("click", () => take(example()));
    field("another").hidden = examples.length === 0;
    prepareDrop(field("try-part"));
    showDrawn();
}
