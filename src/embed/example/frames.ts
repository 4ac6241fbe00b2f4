/** What the guest program imports: frames of the VM's memory, by page frame number. */

/** Takes a run of at most `most` frames. Returns its first frame, or -1. */
export declare function allocate(most: u32): i32;
/** Returns the length in frames of the run that `allocate` returned last. */
export declare function run(): u32;
/** Gives `length` frames back, from `first` on. */
export declare function release(first: u32, length: u32): void;
