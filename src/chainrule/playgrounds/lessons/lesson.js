// A model of the reader's own: trains live, and answers to what is given to it.
// Each part of a page asks for functions beside the training, and shows what they give.
const { classes = [], lines } = TOLD.lesson;
const parts = [];  // { calls: () => [{ name, inputs }], show: (frame) => … }
let playing = false, waiting = true, redraw = false, frame = null, asked = 0;
const curve = new Curve();

function ask(request) {
    waiting = true;
    asked += 1;
    const calls = parts.flatMap((part) => part.calls?.() ?? []);
    worker.postMessage({ number: asked, calls, rate: rate(), ...request });
}

function addFact(id, label) {
    field("facts").append(element("div", {}, element("dt", { textContent: label }), element("dd", { id, textContent: "–" })));
}

function rate() {
    const number = field("rate").valueAsNumber;
    return TOLD.lesson.rate === null || !(number > 0 && number < 1000) ? null : number;
}

function look() {
    ask({ kind: "look" });
}

function say(text) {
    field("message").textContent = text;
}

function show() {
    const whole = Number.isInteger(frame.epoch);
    field("epoch").textContent = whole ? frame.epoch.toLocaleString("en") : frame.epoch.toFixed(2);
    const losses = lines.map((line) => frame[line.of]?.[line.name]);
    lines.forEach((line, i) => { field(line.id).textContent = losses[i]?.toPrecision(4) ?? "–"; });
    curve.add(frame.pieces, ...losses);
    curve.draw();
    for (const part of parts) part.show(frame);
    document.body.dataset.shown = frame.number;
    if (losses.some((loss) => loss !== undefined && !Number.isFinite(loss))) {
        play(false);
        say("The loss is no number any more: the steps were too long.");
    }
}

lines.forEach((line, i) => {
    addFact(line.id, line.label);
    field(["first-line", "second-line"][i]).textContent = line.label.toLowerCase();
});

function play(wanted) {
    playing = wanted;
    field("play").querySelector(".name").textContent = playing ? "Pause" : "Train";
    field("play").firstChild.textContent = playing ? "❚❚" : "▶";
}

function again(trained) {
    play(false);
    say("");
    curve.clear();
    redraw = false;  // of what was before
    ask({ kind: "reset", trained });
}

function tick() {
    if (redraw) {
        redraw = false;
        show();
    }
    if (playing && !waiting) ask({ kind: "advance" });
    requestAnimationFrame(tick);
}

function begin() {
    worker.onerror = () => say("It cannot run here: the browser knows no WebAssembly with vectors, or has met an error.");
    worker.onmessage = ({ data }) => {
        if (data.kind === "ready") look();
        else if (data.number === asked) {
            waiting = false;
            frame = data;
            redraw = true;
        }
    };
    field("play").addEventListener("click", () => play(!playing));
    field("step").addEventListener("click", () => { play(false); ask({ kind: "advance" }); });
    field("step").textContent = TOLD.program.told.piece ? "Some steps" : "One epoch";
    field("reset").addEventListener("click", () => again(false));
    field("trained").addEventListener("click", () => again(true));
    field("trained").hidden = !TOLD.program.told.begins;
    field("rate-part").hidden = TOLD.lesson.rate === null;
    field("rate").value = TOLD.lesson.rate ?? "";
    field("graph").src = TOLD.graph;
    worker.postMessage({ kind: "start", ...TOLD.program });
    requestAnimationFrame(tick);
}
