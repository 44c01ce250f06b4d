// Functions that the compiler made, in one memory: each is called with the places of its arrays.
const KINDS = { float32: Float32Array, int64: BigInt64Array, uint8: Uint8Array };
const LINE = 64, PAGE = 65536;

class Kernels {
    constructor(modules, room) {
        this.end = modules[modules.length - 1].end;
        const pages = Math.ceil((this.end + room) / PAGE);
        this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
        this.described = new Map(modules.map((each) => [each.name, each]));
        this.ready = new Map();
    }

    // A function, made ready when it is asked for the first time.
    get(name) {
        if (!this.ready.has(name)) this.ready.set(name, this.#made(this.described.get(name)));
        return this.ready.get(name);
    }

    #made(described) {
        const instance = new WebAssembly.Instance(
            new WebAssembly.Module(bytesOfText(described.wasm)), { env: { memory: this.memory } },
        );
        if (instance.exports.init(described.arena)) throw new Error(`${described.name}: no memory`);
        return { ...described, call: instance.exports.call };
    }

    // An array of zeros behind all others.
    array(count, dtype = "float32") {
        const kind = KINDS[dtype], at = Math.ceil(this.end / LINE) * LINE;
        this.end = at + count * kind.BYTES_PER_ELEMENT;
        return new kind(this.memory.buffer, at, count);
    }

    // An array for each output of a function.
    outputs(name) {
        return Object.fromEntries(this.described.get(name).outputs.map((each) => {
            const size = each.shape.reduce((product, extent) => product * extent, 1);
            return [each.name, this.array(size, each.dtype)];
        }));
    }

    // A function with its arrays. `walked` are those whose rows are walked through, with the bytes
    // of a row.
    bound(name, inputs, outputs, rows = 1, walked = new Map()) {
        const kernel = this.get(name);
        const given = kernel.inputs.map((each) => inputs[each.name]);
        const count = kernel.countsRows ? [BigInt(rows)] : [];
        const places = (arrays) => arrays.map((each) => each.byteOffset);
        const results = places(kernel.outputs.map((each) => outputs[each.name]));
        return {
            call: kernel.call, values: [kernel.arena, ...places(given), ...count, ...results],
            rowsAt: count.length ? 1 + given.length : null,
            moved: given.flatMap((array, i) => (
                walked.has(array) ? [[1 + i, array.byteOffset, walked.get(array)]] : []
            )),
        };
    }

    call(name, inputs, outputs, rows = 1) {
        const bound = this.bound(name, inputs, outputs, rows), result = bound.call(...bound.values);
        if (result) throw new Error(`${name}: ${result}`);
    }
}
