/** What is reported of a step, an epoch, or an evaluation. */
export interface Outputs {
$outputs
}
$data$predicting
/** The name of a tensor: parameters, the slots of the optimizer, counters, hyperparameters. */
export type Tensor =
$tensors;

$epoch

export interface Options {
$room$modules
}

/** Does this browser know the instructions that the fused module needs? */
export declare function fuses(): boolean;

/** Fetches the module, and prepares memory with the values before the first step. */
export declare function load($options): Promise<Training>;

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
$trains
$predict}
