/**
 * The functions that the core imports from its host.
 */

/**
 * A full memory barrier: every store before it is visible to the device before any load after it
 * (virtio 1.3, 2.7.13.3 and 2.7.13.4.1). Being a call out of the module, it also keeps every
 * compiler on the way from moving or merging loads of memory that the device writes.
 */
export declare function fence(): void;

/**
 * Fills `length` frames from `first` on with a 32-bit value. Frames can lie above what the core's
 * own pointers reach, so the host does it.
 */
export declare function fill(first: u32, length: u32, value: u32): void;
