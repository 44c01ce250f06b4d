const message = document.querySelector("#message"), table = document.querySelector("tbody");
const fused = document.querySelector("#fused");
const PIECE = 50;  // milliseconds of training between two answers
const MOST_ROWS = 1000;  // that are shown, the newest
let asked = 0, epoch = 0, start = 0;

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
            const numbers = [each.outputs, each.validation ? each.validation.outputs : {}];
            const shown = TOLD.outputs.flatMap((name) => numbers.map((of) => of[name]));
            row([++epoch, ...shown.map((number) => number === undefined ? "" : number.toPrecision(6))]);
        }
        if (epoch) message.textContent = `${epoch} epochs, ${Math.round(performance.now() - start)} ms`;
        if (!over) worker.postMessage({ kind: "advance", number, milliseconds: PIECE });
    },
    refused({ number, told }) {
        if (number === asked) message.textContent = `this data file cannot be used: ${told}`;
    },
    state({ bytes }) {
        keep(bytes);
    },
};

worker.onmessage = ({ data }) => ANSWERS[data.kind](data);

document.querySelector("#file").addEventListener("change", async (event) => {
    const [file] = event.target.files;
    if (!file) return;
    const number = ++asked;
    message.textContent = "training";
    table.replaceChildren();
    const buffer = await file.arrayBuffer().catch(() => null);
    if (number !== asked) return;  // another file was chosen while this one was read
    if (!buffer) {
        message.textContent = "this data file cannot be read";
        return;
    }
    epoch = 0;
    start = performance.now();
    const chosen = fused.disabled ? undefined : fused.checked;  // before an answer: as the browser can
    worker.postMessage({ kind: "train", number, buffer, fused: chosen }, [buffer]);
});

document.querySelector("#save").addEventListener("click", () => worker.postMessage({ kind: "state" }));

const head = TOLD.outputs.flatMap((name) => [name, `validation ${name}`]);
for (const name of ["epoch", ...head]) {
    const cell = document.createElement("th");
    cell.textContent = name;
    document.querySelector("thead tr").append(cell);
}
worker.postMessage({ kind: "start", modules: TOLD.modules });
