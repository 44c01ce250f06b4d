// The calls of a step as one function of WebAssembly: it knows the places of all arrays, and is told
// the first row and how many there are. From JavaScript each call costs more than what it computes.
const I32 = 0x7f, I64 = 0x7e, FUNCTION = 0x60;
const ROW = [0x20, 0], ROWS = [0x20, 1, 0xad];  // the first argument, and the second as 64 bits

// A whole number as WebAssembly writes it: seven bits a byte, the sign in the last one.
function signed(number) {
    const bytes = [];
    for (let rest = number; ; rest >>= 7) {
        const isLast = rest >> 6 === 0 || rest >> 6 === -1;
        bytes.push((rest & 0x7f) | (isLast ? 0 : 0x80));
        if (isLast) return bytes;
    }
}

function unsigned(number) {
    const bytes = [];
    for (let rest = number; ; rest >>>= 7) {
        bytes.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
        if (rest <= 0x7f) return bytes;
    }
}

function listed(parts) {
    return [...unsigned(parts.length), ...parts.flat()];
}

function section(id, parts) {
    const content = listed(parts);
    return [id, ...unsigned(content.length), ...content];
}

function text(name) {
    return listed([...name].map((each) => [each.charCodeAt(0)]));
}

function kindOf({ values }) {
    return [FUNCTION, ...listed(values.map((each) => [typeof each === "bigint" ? I64 : I32])), 1, I32];
}

// The instructions that push the arguments of a call, and call the function of that number.
function instructions({ values, rowsAt, moved, walks }, number) {
    const steps = new Map(moved.map(([at, start, bytes]) => [at, [start, bytes]]));
    const pushed = values.flatMap((value, at) => {
        if (at === rowsAt) return walks ? ROWS : [0x42, ...signed(Number(value))];
        if (!steps.has(at)) return [0x41, ...signed(value)];
        const [start, bytes] = steps.get(at);
        return [...ROW, 0x41, ...signed(bytes), 0x6c, 0x41, ...signed(start), 0x6a];
    });
    return [...pushed, 0x10, ...unsigned(number), 0x72];
}

// From bound calls a function of the first row and the number of rows; it gives 0 if all went well.
function joined(calls) {
    const body = [0, 0x41, 0, ...calls.flatMap(instructions), 0x0b];
    const bytes = [
        0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
        ...section(1, [...calls.map(kindOf), [FUNCTION, 2, I32, I32, 1, I32]]),
        ...section(2, calls.map((_, i) => [...text("c"), ...text(`${i}`), 0, ...unsigned(i)])),
        ...section(3, [unsigned(calls.length)]),
        ...section(7, [[...text("step"), 0, ...unsigned(calls.length)]]),
        ...section(10, [[...unsigned(body.length), ...body]]),
    ];
    const given = { c: Object.fromEntries(calls.map(({ call }, i) => [i, call])) };
    return new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(bytes)), given).exports.step;
}
