const MAGIC = "CHAINDAT";
const message = document.querySelector("#message"), table = document.querySelector("tbody");
const fused = document.querySelector("#fused");
const wasm = MODULES.map((text) => Uint8Array.from(atob(text), (each) => each.charCodeAt(0)));
let training = null;

// The data file of main.c: the letters, three numbers, and the arrays of both data sets.
function parsed(buffer) {
    const view = new DataView(buffer), letters = new Uint8Array(buffer, 0, 8);
    if (String.fromCharCode(...letters) !== MAGIC) throw new Error(`it does not begin with ${MAGIC}`);
    const [rows, held, flags] = [8, 16, 24].map((at) => Number(view.getBigInt64(at, true)));
    let at = 32;
    const set = (count) => Object.fromEntries(PROGRAM.inputs.map((each, i) => {
        const kind = each.bytes && flags & (2 ** i) ? Uint8Array : KINDS[each.dtype];
        const size = count * elements(each) * kind.BYTES_PER_ELEMENT;
        const values = new kind(buffer.slice(at, at + size));
        at += size;
        return [each.name, values];
    }));
    const found = [set(rows), held ? set(held) : null];
    if (at !== buffer.byteLength) throw new Error("it is too long");
    return { rows, held, found };
}

function row(cells) {
    const line = table.insertRow();
    for (const cell of cells) line.insertCell().textContent = cell;
}

async function run(file) {
    table.replaceChildren();
    const { rows, held, found } = parsed(await file.arrayBuffer());
    training = await load({ rows, validationRows: held, fused: fused.checked, wasm });
    training.data(...found);
    let epoch = 0;
    const start = performance.now();
    for (const each of training.train()) {
        const numbers = [each.outputs, each.validation ? each.validation.outputs : {}];
        const shown = PROGRAM.outputs.flatMap((name) => numbers.map((found) => found[name]));
        row([++epoch, ...shown.map((number) => number === undefined ? "" : number.toPrecision(6))]);
        message.textContent = `${epoch} epochs, ${Math.round(performance.now() - start)} ms`;
        await new Promise((resolve) => setTimeout(resolve));
    }
}

document.querySelector("#file").addEventListener("change", async (event) => {
    message.textContent = "training";
    await run(event.target.files[0]).catch((error) => {
        message.textContent = `this data file cannot be used: ${error.message}`;
    });
});

document.querySelector("#save").addEventListener("click", () => {
    if (!training) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([training.state()]));
    link.download = `${PROGRAM.name}.state`;
    link.click();
    URL.revokeObjectURL(link.href);
});

fused.checked = fuses();
fused.disabled = !fused.checked;
const head = PROGRAM.outputs.flatMap((name) => [name, `validation ${name}`]);
for (const name of ["epoch", ...head]) {
    const cell = document.createElement("th");
    cell.textContent = name;
    document.querySelector("thead tr").append(cell);
}
