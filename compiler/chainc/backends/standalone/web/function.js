export async function load({ rows = 1, fused = fuses(), wasm } = {}) {
    checkRows(rows);
    return new Computation(...(await compiled(fused, wasm)), rows);
}

export class Computation {
    #calls; #memory; #places; #at;

    constructor(module, chosen, rows) {
        if (rows > PROGRAM.mostRows) throw new RangeError(`${PROGRAM.mostRows} rows are the most`);
        this.rows = rows;
        this.#places = new Places(chosen);
        this.#at = [...PROGRAM.inputs, ...PROGRAM.outputs].map((each) => (
            this.#places.take((each.rows ? rows : 1) * bytesIn(each) + LINE)
        ));
        this.#memory = this.#places.memory();
        this.#calls = instance(module, this.#memory);
        checkResult("init", this.#calls.init(this.#places.arena));
    }

    get memoryBytes() {
        return this.#memory.buffer.byteLength;
    }

    call(inputs = {}) {
        const count = PROGRAM.inputs.length, places = this.#at;
        const rows = this.#rows(PROGRAM.inputs.filter((each) => each.rows), inputs);
        for (const [i, each] of PROGRAM.inputs.entries()) {
            const values = inputs[each.name];
            if (values.length !== (each.rows ? rows : 1) * elements(each)) {
                throw new RangeError(`${each.name} has ${values.length} elements`);
            }
            this.#view(each, places[i], values.length).set(values);
        }
        const given = [...places.slice(0, count), ...(PROGRAM.countsRows ? [BigInt(rows)] : [])];
        const result = this.#calls.call(this.#places.arena, ...given, ...places.slice(count));
        checkResult("call", result);
        return Object.fromEntries(PROGRAM.outputs.map((each, i) => [
            each.name,
            this.#view(each, places[count + i], (each.rows ? rows : 1) * elements(each)).slice(),
        ]));
    }

    #rows(arrays, inputs) {
        if (arrays.length === 0) return 1;
        const rows = rowsOf(arrays, inputs);
        if (rows < 1 || rows > this.rows) {
            throw new RangeError(`there is room for 1 to ${this.rows} rows, not for ${rows}`);
        }
        return rows;
    }

    #view(array, place, count) {
        return new KINDS[array.dtype](this.#memory.buffer, place, count);
    }
}
