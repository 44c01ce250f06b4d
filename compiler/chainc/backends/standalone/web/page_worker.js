// Trains for the page, some epochs at a time, so that it is heard in between.
const MAGIC = "CHAINDAT";
let training = null, epochs = null, wasm = null, current = 0;

// The data file of main.c: the letters, three numbers, and the arrays of both data sets.
function parsed(buffer) {
    const view = new DataView(buffer), letters = new Uint8Array(buffer).subarray(0, 8);
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
    return { rows, validationRows: held, found };
}

// Whatever is wrong with a file is said on the page.
async function attempt(number, action) {
    try {
        await action();
    } catch (error) {
        postMessage({ kind: "refused", number, told: error.message });
    }
}

const ACTIONS = {
    start({ modules }) {
        wasm = modules.map(bytesOfText);
        postMessage({ kind: "ready", fuses: fuses() });
    },
    train: ({ number, buffer, fused, count, seed }) => attempt(number, async () => {
        current = number;
        training = epochs = null;  // a new one may need their memory
        const { found, ...room } = PROGRAM.readsRows ? parsed(buffer) : {};
        const made = await load({ ...room, fused, wasm });
        if (found) made.data(...found);
        made.init(BigInt(seed));
        training = made;
        epochs = training.train(count);
        postMessage({ kind: "epochs", number, found: [], over: false });
    }),
    advance: ({ number, milliseconds }) => attempt(number, () => {
        if (number !== current) return;
        const found = [], end = performance.now() + milliseconds;
        let next;
        do {
            next = epochs.next();
            if (!next.done) found.push(next.value);
        } while (!next.done && performance.now() < end);
        postMessage({ kind: "epochs", number, found, over: next.done });
    }),
    state() {
        if (training) postMessage({ kind: "state", bytes: training.state() });
    },
};
