"use strict";
// Functions that the compiler made, in one memory: each is called with the places of its arrays.
const KINDS = { float32: Float32Array, int64: BigInt64Array };
const LINE = 64, PAGE = 65536;

class Kernels {
    constructor(modules, room) {
        this.end = modules[modules.length - 1].end;
        const pages = Math.ceil((this.end + room) / PAGE);
        this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
        this.byName = new Map(modules.map((each) => [each.name, this.#ready(each)]));
    }

    #ready(described) {
        const bytes = Uint8Array.from(atob(described.wasm), (each) => each.charCodeAt(0));
        const instance = new WebAssembly.Instance(
            new WebAssembly.Module(bytes), { env: { memory: this.memory } },
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
    outputs(name, rows = 1) {
        return Object.fromEntries(this.byName.get(name).outputs.map((each) => {
            const size = each.shape.reduce((product, extent) => product * extent, 1);
            return [each.name, this.array(size * (each.rows ? rows : 1))];
        }));
    }

    // What a function is called with, in its order.
    given(name, inputs, outputs, rows = 1) {
        const kernel = this.byName.get(name);
        const place = (arrays) => (each) => arrays[each.name].byteOffset;
        return [
            kernel.arena, ...kernel.inputs.map(place(inputs)),
            ...(kernel.countsRows ? [BigInt(rows)] : []), ...kernel.outputs.map(place(outputs)),
        ];
    }

    call(name, inputs, outputs, rows = 1) {
        const result = this.byName.get(name).call(...this.given(name, inputs, outputs, rows));
        if (result) throw new Error(`${name}: ${result}`);
    }
}
