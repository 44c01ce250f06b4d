const KINDS = {
    float32: Float32Array, float64: Float64Array, int32: Int32Array, int64: BigInt64Array,
    uint8: Uint8Array, bool: Uint8Array,
};
const REASONS = [
    "", "an argument is out of range", "a label or another index is out of range",
    "the memory is not prepared",
];
// a module with one instruction of relaxed SIMD: a browser that does not know it refuses it all
const PROBE = [
    0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0,
    10, 15, 1, 13, 1, 1, 123, 32, 0, 32, 0, 32, 0, 253, 133, 2, 11,
];
const LINE = 64, PAGE = 65536;

export function fuses() {
    return PROGRAM.modules.length > 1 && WebAssembly.validate(new Uint8Array(PROBE));
}

async function compiled(fused, wasm) {
    const chosen = PROGRAM.modules[fused ? 1 : 0];
    if (!chosen) throw new RangeError("this program has no module with fused arithmetic");
    const bytes = wasm ? wasm[fused ? 1 : 0] : await fetched(chosen.file);
    return [await WebAssembly.compile(bytes), chosen];
}

async function fetched(file) {
    const answer = await fetch(new URL(file, import.meta.url));
    if (!answer.ok) throw new Error(`${file} is not there: ${answer.status}`);
    return answer.arrayBuffer();
}

// Places behind what a module has for itself; then all memory that there will ever be.
class Places {
    constructor(chosen) {
        this.arena = chosen.arena;
        this.end = chosen.end;
    }

    take(bytes) {
        const place = Math.ceil(this.end / LINE) * LINE;
        this.end = place + bytes;
        return place;
    }

    memory() {
        const pages = Math.ceil((this.end + LINE) / PAGE);
        return new WebAssembly.Memory({ initial: pages, maximum: pages });
    }
}

function instance(module, memory) {
    return new WebAssembly.Instance(module, { env: { memory } }).exports;
}

function elements(array) {
    return array.shape.reduce((product, extent) => product * extent, 1);
}

function bytesIn(array) {
    return elements(array) * KINDS[array.dtype].BYTES_PER_ELEMENT;
}

function checkRows(rows) {
    if (!(Number.isInteger(rows) && rows > 0)) throw new RangeError("rows: how many at most?");
}

function checkResult(name, result) {
    if (result) throw new RangeError(`${name}: ${REASONS[result]}`);
}

function rowsOf(arrays, given) {
    const counts = arrays.map((each) => {
        const values = given[each.name];
        if (!ArrayBuffer.isView(values)) throw new RangeError(`${each.name} is no typed array`);
        return values.length / elements(each);
    });
    if (!Number.isInteger(counts[0]) || counts.some((count) => count !== counts[0])) {
        throw new RangeError("the arrays do not have the same number of whole rows");
    }
    return counts[0];
}
