/** What is given: the arrays of all rows in C order. */
export interface Given {
$inputs
}

/** What is computed. */
export interface Results {
$outputs
}

export interface Options {
    /** At once, at most: memory is made once and never grows. */
    rows?: number;
$modules
}

/** Does this browser know the instructions that the fused module needs? */
export declare function fuses(): boolean;

/** Fetches the module, and prepares memory. */
export declare function load(options?: Options): Promise<Computation>;

/** The function, with memory of its own. Whatever does not fit is a RangeError. */
export declare class Computation {
    private constructor();
    /** At once, at most. */
    readonly rows: number;
    /** All memory that it takes. */
    readonly memoryBytes: number;
    call($given): Results;
}
