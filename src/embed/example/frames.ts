/** What the guest program imports: frames of the VM's memory, by page frame number. */

/** The first of a run of at most `most` frames, or -1. */
export declare function allocate(most: u32): i32;
/** Length of the run that `allocate` answered last. */
export declare function run(): u32;
export declare function release(first: u32, length: u32): void;
