// One picture after the other: what is asked of the worker, and what it answers.
let { state, refused } = stateOf(location.hash.slice(1));
let playing = false, waiting = true, redraw = false, frame = null, data = { points: [], targets: [] };
let settled = false;  // is the frame one of the state as it is?
let position = 0, due = 0, asked = 0, told = 0;
const changes = [], curve = new Curve();
const panel = new Panel(setParameter);
const picture = new Picture(chooseNeuron, change);

function say(text) {
    field("message").textContent = text;
}

function wantedExample() {
    return field("show-example").checked ? field("example").valueAsNumber || 0 : null;
}

function ask(request) {
    waiting = true;
    asked += 1;
    worker.postMessage({ number: asked, example: wantedExample(), row: field("example").valueAsNumber || 0, ...request });
}

function remember() {
    const { parameters, epoch } = settled ? frame : {};
    changes.push({ fragment: fragmentOf(state), parameters, epoch });
    if (changes.length > 100) changes.shift();
    field("undo").disabled = false;
}

// Every control comes here: a copy is changed, kept, shown and told to the worker.
function change(name, apply) {
    remember();
    const next = copyOf(state);
    apply(next);
    take(next, FRESH.has(name));
}

function take(next, fresh) {
    state = next;
    history.replaceState(null, "", `#${fragmentOf(state)}`);
    if (fresh) curve.clear();
    settled = redraw = false;
    showAll();
    ask({ kind: "choose", state, fresh });
}

function showAll() {
    showControls(state);
    picture.parameters = frame?.parameters;
    picture.build(state);
    panel.build(state);
}

function setParameter(at, number) {
    remember();
    ask({ kind: "parameter", at, value: number });
}

function chooseNeuron(chosen, from) {
    panel.chosen = chosen;
    panel.build(state);
    if (settled) show();
    if (from !== undefined) field(`parameter-${weightAt(state, chosen[0], from, chosen[1])}`).focus();
}

function undo() {
    const last = changes.pop();
    field("undo").disabled = changes.length === 0;
    if (!last) return;
    take(stateOf(last.fragment).state, true);
    if (last.parameters) ask({ kind: "parameters", values: last.parameters, epoch: last.epoch });
}

function play(wanted) {
    playing = wanted;
    redraw = settled;
    field("play").querySelector(".name").textContent = playing ? "Pause" : "Play";
    field("play").firstChild.textContent = playing ? "❚❚" : "▶";
}

function tell(losses) {
    return losses ? losses.loss.toPrecision(4) : "–";
}

// While it trains, what eyes read slowly is drawn less often.
const SLOWLY = 60;  // milliseconds

function show() {
    const showTest = field("show-test").checked, { beside } = frame;
    if (frame.surfaces.output) drawOutput("output", frame.surfaces.output, frame, data, showTest, wantedExample());
    else showDigit(frame.surfaces);
    if (beside) drawOutput("beside-output", beside.output, frame, data, showTest, null);
    picture.show(frame, panel.chosen);
    curve.add(frame.epoch, frame.train?.loss, frame.test?.loss, beside?.train.loss);
    if (!playing || performance.now() - told > SLOWLY) showNumbers();
    document.body.dataset.shown = frame.number;
    if (frame.train && !Number.isFinite(frame.train.loss)) {
        play(false);
        say("The loss is no number any more: the steps were too long. Choose a smaller learning rate, and reset.");
    }
}

// The digit of the example, and what it is taken for.
function showDigit({ features, shares, taken, is }) {
    drawSurface(field("digit"), features[0]);
    field("digit-told").textContent = `It is taken for ${taken}${taken === is ? ", and that is right." : `, and is ${is}.`}`;
    showShares(digits, shares);
}

function showNumbers() {
    told = performance.now();
    if (frame.confusion) showCounts(confusion, frame.confusion);
    field("epoch").textContent = frame.epoch.toLocaleString("en");
    field("train-loss").textContent = tell(frame.train);
    field("test-loss").textContent = tell(frame.test);
    const tested = frame.test ?? frame.train;
    field("accuracy").textContent = tested ? `${(100 * tested.accuracy).toFixed(1)} %` : "–";
    field("beside-train").textContent = tell(frame.beside?.train);
    field("beside-test").textContent = tell(frame.beside?.test);
    curve.draw();
    picture.showWeights(frame.parameters);
    panel.show(frame);
    drawNorms(frame.norms);
    drawHistograms(frame.histograms);
    showExample();
}

function showExample() {
    const last = 2 * state.layers.length + 2;
    position = Math.min(position, last);
    picture.showNumbers(frame.example, position);
    field("example-told").textContent = frame.example
        ? `${position + 1} of ${last + 1}. ${tellExample(state, frame, position, panel.chosen)}` : "";
}

function look() {
    if (frame) ask({ kind: "look" });
}

function doStep() {
    play(false);
    if (frame) ask({ kind: "advance", epochs: 1, milliseconds: 1000 });
}

function moveExample(by) {
    field("show-example").checked = true;
    play(false);
    position = Math.max(0, Math.min(2 * state.layers.length + 2, position + by));
    look();
}

// At most one request is under way; while the worker answers it, the last frame is drawn.
function tick(now) {
    const shown = redraw;
    redraw = false;
    if (playing && !waiting) advance(now);
    if (shown) show();
    requestAnimationFrame(tick);
}

function advance(now) {
    const speed = field("speed").value;
    if (speed === "0.1" && now < due) return;
    due = now + 160;
    const epochs = speed === "max" ? 1e6 : Math.max(1, Number(speed));
    ask({ kind: "advance", epochs, milliseconds: 9 });
}

const ANSWERS = {
    fitted({ number, points }) {
        if (number === fitting) change("own", (next) => { own(next, points, []); });
    },
    ready() {
        field("picture").dataset.ready = "";
        take(state, true);
        if (refused) say(`${refused} of the address cannot be used; what is usual stands instead.`);
    },
    frame(answer) {
        if (answer.number !== asked) return;  // a later request is under way
        waiting = false;
        frame = answer;
        if (answer.points) data = { points: answer.points, targets: answer.targets };
        settled = redraw = true;
    },
};

worker.onerror = () => say("It cannot run here: the browser knows no WebAssembly with vectors, or has met an error.");
worker.onmessage = (event) => ANSWERS[event.data.kind](event.data);
const digits = [..."0123456789"], confusion = makeConfusion(digits);
makeControls(() => state, change);
explainControls();
makeRamp();
showAll();
worker.postMessage({ kind: "start", ...TOLD.program });
requestAnimationFrame(tick);
