/**
 * Machine: what the boot code offers to the guest program, as the global `machine`.
 *
 * It must not be used while a module is evaluated: that happens when the image is built, on another
 * machine. Invariant: each function here has one of the same name in runtime/kernel/boot/machine.c.
 */
import type { CoreExports } from "../core/exports.ts";
import type { Width } from "../hal.ts";

export interface MemoryRegion {
  /** Guest physical address and size in bytes, both whole frames of 4 KiB. */
  readonly base: number;
  readonly size: number;
  /** `kernel` is memory that the image, its stack and its pool of frames lie in. */
  readonly kind: "available" | "reserved" | "kernel";
}

/** What the kernel itself keeps. */
export interface Footprint {
  /** Image, stack and pool: the regions of kind `kernel`. */
  readonly kernelBytes: number;
  /** What is left of the kernel's stack, here and now. */
  readonly stackFreeBytes: number;
  /** Size of the engine's heap, stack and data, and how many frames back it. */
  readonly engineBytes: number;
  readonly engineFrames: number;
  /** Frames that the kernel keeps for page tables and the engine's first growth. */
  readonly poolFrames: number;
  readonly poolFreeFrames: number;
}

/** The lines that are messages, and what is added to one for the value that asks on it. */
export const MESSAGE = { firstLine: 16, endLine: 31, vector: 0x20 } as const;

/** A fault on purpose, to see that it is told: for `provoke`. */
export const FAULT = {
  invalidOpcode: 0,
  pageFault: 1,
  wasmTrap: 2,
  stackOverflow: 3,
} as const;

export interface Machine {
  portRead(port: number, width: Width): number;
  portWrite(port: number, width: Width, value: number): void;
  /**
   * Guest physical memory and device memory alike, below 2^46 on x86_64 and below 4 GiB on i386.
   * What is not memory is mapped uncached. Throws an Error for an address beyond.
   */
  memoryRead(address: number, width: Width): number;
  memoryWrite(address: number, width: Width, value: number): void;
  /** Milliseconds since boot, fractional; never goes back. */
  now(): number;
  /**
   * From now on interrupt line `line` ends waits: 0 to 15, as in PCI's interrupt line register, or
   * 16 to 30, which are messages.
   */
  listen(line: number): void;
  /**
   * Where a device writes MESSAGE.vector + line to ask on a line from 16 up; 0 where this machine
   * takes no messages.
   */
  messageAddress(): number;
  /**
   * Halts until a line that is listened to asks, or `now()` is `untilMs`. Returns the lines that
   * asked, a bit each. The result of `boot` and `wake` does the same without a deep stack.
   */
  waitForInterrupt(untilMs: number): number;
  /** Writes a text as UTF-8. Port 1 is the log, port 2 the control channel. */
  serialWrite(port: 1 | 2, text: string): void;
  /**
   * What has arrived, at most 4096 bytes, each as one character below U+0100 (a 0 as U+0001). For
   * port 2, listen to line 3.
   */
  serialRead(port: 1 | 2): string;
  commandLine(): string;
  /** Sorted by base, without overlaps. Frame 0 is in no region. */
  memoryMap(): MemoryRegion[];
  footprint(): Footprint;
  /** From now on the engine's heap grows by frames of the core's ledger. */
  growFromLedger(): void;
  /** Ends the machine: by isa-debug-exit at 0x501, else ACPI power-off (code 0), else it halts. */
  exit(code: number): never;
  /** Writes the pattern of each frame's number and the seed; at most 65536 frames a call. */
  fillFrames(first: number, count: number, seed: number): void;
  /** Bytes that differ from what fillFrames wrote. */
  verifyFrames(first: number, count: number, seed: number): number;
  /** Does what must not be done; see FAULT. */
  provoke(fault: number): void;
  /**
   * The core's exports. Its memory is guest physical memory: the first 1 GiB on i386, 4 GiB else.
   */
  readonly core: CoreExports;
}

/** The machine that this program runs on. Only inside `boot`, `wake` and what they call. */
export function theMachine(): Machine {
  return (globalThis as unknown as { readonly machine: Machine }).machine;
}
