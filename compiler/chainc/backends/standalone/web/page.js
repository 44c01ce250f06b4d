const message = document.querySelector("#message"), table = document.querySelector("tbody");
const fused = document.querySelector("#fused");
const PIECE = 50;  // milliseconds of training between two answers
const MOST_ROWS = 1000;  // that are shown, the newest
let asked = 0, epoch = 0, start = 0;
const file = document.querySelector("#file");  // null where steps read no rows

function row(cells) {
    if (table.rows.length === MOST_ROWS) table.deleteRow(0);
    const line = table.insertRow();
    for (const cell of cells) line.insertCell().textContent = cell;
}

function keep(bytes) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([bytes]));
    link.download = `${TOLD.name}.state`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);  // some browsers read it later
}

const ANSWERS = {
    ready({ fuses }) {
        fused.checked = fuses;
        fused.disabled = !fuses;
    },
    epochs({ number, found, over }) {
        if (number !== asked) return;
        for (const each of found) {
            const numbers = [each.outputs, ...(TOLD.validates ? [each.validation?.outputs ?? {}] : [])];
            const shown = TOLD.outputs.flatMap((name) => numbers.map((of) => of[name]));
            note("training", each.outputs);
            if (each.validation) note("validation", each.validation.outputs);
            row([++epoch, ...shown.map((number) => number === undefined ? "" : number.toPrecision(6))]);
        }
        if (found.length) draw();
        if (epoch) message.textContent = `${epoch} epochs, ${Math.round(performance.now() - start)} ms`;
        if (!over) worker.postMessage({ kind: "advance", number, milliseconds: PIECE });
    },
    refused({ number, told }) {
        if (number === asked) message.textContent = `it cannot train: ${told}`;
    },
    state({ bytes }) {
        keep(bytes);
    },
};

worker.onmessage = ({ data }) => ANSWERS[data.kind](data);

async function train() {
    const number = ++asked;
    const count = Number(document.querySelector("#epochs").value);
    const seed = document.querySelector("#seed").value;
    table.replaceChildren();
    forget();
    if (!Number.isInteger(count) || count < 1 || !/^\d+$/.test(seed)) {
        message.textContent = "epochs are a whole number from 1 on, and the seed is one from 0 on";
        return;
    }
    if (file && !file.files.length) {
        message.textContent = "choose a data file first";
        return;
    }
    message.textContent = "training";
    const buffer = file ? await file.files[0].arrayBuffer().catch(() => null) : undefined;
    if (number !== asked) return;  // another file was chosen while this one was read
    if (buffer === null) {
        message.textContent = "this data file cannot be read";
        return;
    }
    epoch = 0;
    start = performance.now();
    const chosen = fused.disabled ? undefined : fused.checked;  // before an answer: as the browser can
    const request = { kind: "train", number, buffer, fused: chosen, count, seed };
    worker.postMessage(request, buffer ? [buffer] : []);
}

if (file) file.addEventListener("change", train);
document.querySelector("#train").addEventListener("click", train);
document.querySelector("#stop").addEventListener("click", () => {
    asked++;  // what is computed already is not shown
    message.textContent = `stopped after ${epoch} epochs`;
});
document.querySelector("#save").addEventListener("click", () => worker.postMessage({ kind: "state" }));

const kinds = ["", ...(TOLD.validates ? ["validation "] : [])];
const head = TOLD.outputs.flatMap((name) => kinds.map((kind) => kind + name));
for (const name of ["epoch", ...head]) {
    const cell = document.createElement("th");
    cell.textContent = name;
    document.querySelector("thead tr").append(cell);
}
worker.postMessage({ kind: "start", modules: TOLD.modules });
