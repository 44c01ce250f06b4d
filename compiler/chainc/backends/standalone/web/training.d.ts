/** What is reported of a step, an epoch, or an evaluation. */
export interface Outputs {
$outputs
}

/** Rows of a data set: the arrays of all rows in C order. */
export interface Data {
$inputs
}
$predicting
/** The name of a tensor: parameters, the slots of the optimizer, counters, hyperparameters. */
export type Tensor =
$tensors;

/** What one epoch has seen, and the means over it; the same of the validation data after it. */
export interface Epoch {
    rows: number;
    outputs: Outputs;
    validation: { rows: number; outputs: Outputs } | null;
}

export interface Options {
    /** Of the training data, at most: memory is made once and never grows. */
    rows: number;
    /** Of the validation data, at most; by default there are none. */
    validationRows?: number;
$modules
}

/** Does this browser know the instructions that the fused module needs? */
export declare function fuses(): boolean;

/** Fetches the module, and prepares memory with the values before the first step. */
export declare function load(options: Options): Promise<Training>;

/** A training with memory of its own. Whatever does not fit is a RangeError. */
export declare class Training {
    private constructor();
    /** All memory that it takes. */
    readonly memoryBytes: number;
    /** The values before the first step, which follow from the seed alone. */
    init(seed?: number | bigint): void;
    /** A copy of a tensor, in C order. */
    get(name: Tensor): $arrays;
    set(name: Tensor, values: ArrayLike<number> | ArrayLike<bigint>): void;
    /** The bytes of all tensors, in their order: what other exports of this program write too. */
    state(): Uint8Array;
    restore(bytes: Uint8Array): void;
    /** Copies the rows to train on; without validation data nothing is evaluated. */
    data(training: Data, validation?: Data | null): void;
    /** Trains an epoch each time it is asked; a state from the middle of one first finishes it. */
    train(epochs?: number): Generator<Epoch, void, void>;
    /** One step over at most $batch rows; the outputs are those before it. */
    step(batch: Data): Outputs;
    /** The means over all rows; nothing changes. */
    evaluate(which?: "training" | "validation"): Outputs;
$predict}
