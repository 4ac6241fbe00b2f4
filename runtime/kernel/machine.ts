/**
 * Machine: what the boot code offers to the guest program, as the global `machine`. Each function
 * has one of the same name in runtime/kernel/boot/machine.c.
 */
import type { CoreExports } from "../core/exports.ts";
import type { Width } from "../hal.ts";
import type { PolicyEngine } from "../policy/own-policy.ts";

/** One part of guest physical memory. */
export interface MemoryRegion {
  /** Guest physical address and size in bytes, both whole frames of 4 KiB. */
  readonly base: number;
  readonly size: number;
  /** `kernel`: the image, its stack and its pool of frames. */
  readonly kind: "available" | "reserved" | "kernel";
}

/** The memory that the kernel itself uses. */
export interface Footprint {
  /** Image, stack and pool: the regions of kind `kernel`. */
  readonly kernelBytes: number;
  /** Bytes of the kernel's stack that are free during this call. */
  readonly stackFreeBytes: number;
  /** Size of the engine's heap, stack and data, and how many frames back it. */
  readonly engineBytes: number;
  readonly engineFrames: number;
  /** Frames that the kernel keeps for page tables and the engine's first growth. */
  readonly poolFrames: number;
  readonly poolFreeFrames: number;
}

/** The lines that are messages. The value that raises a line is `vector` + the line. */
export const MESSAGE = { firstLine: 16, endLine: 31, vector: 0x20 } as const;
/** The line of `connect`. */
export const INPUT_LINE = 31;

/** What each line of the guest's log begins with; no line of the control channel does. */
export const LOG_PREFIX = "ballonet: ";

/** Faults for `provoke`, to test how the kernel reports them. */
export const FAULT = {
  invalidOpcode: 0,
  pageFault: 1,
  wasmTrap: 2,
  stackOverflow: 3,
} as const;

/** See the file's header. Numbers are unsigned; a function throws an Error for a wrong argument. */
export interface Machine extends PolicyEngine {
  portRead(port: number, width: Width): number;
  portWrite(port: number, width: Width, value: number): void;
  /** Reads guest physical memory or device memory. Device memory is mapped uncached. */
  memoryRead(address: number, width: Width): number;
  memoryWrite(address: number, width: Width, value: number): void;
  /** `memoryRead` and `memoryWrite` reach what lies below: a power of two, 4 GiB on i386. */
  memoryEnd(): number;
  /** Milliseconds since boot, fractional; never goes back. */
  now(): number;
  /**
   * From now on interrupt line `line` ends waits: 0 to 15, as in PCI's interrupt line register, or
   * 16 to 30, which are messages.
   */
  listen(line: number): void;
  /**
   * From now on an input of the I/O APICs raises INPUT_LINE, which ends waits. 0: this machine has
   * no such input.
   */
  connect(input: number, isLevel: boolean, isActiveLow: boolean): 0 | 1;
  /** The address of ACPI's root pointer; 0: there is none. */
  acpiRoot(): number;
  /**
   * The address that a device writes MESSAGE.vector + line to, to raise a line from 16 up; 0: this
   * machine takes no messages.
   */
  messageAddress(): number;
  /**
   * Halts until a line that is listened to is raised, or `now()` is `untilMs`. Returns the lines, a
   * bit each. Prefer to return from `boot` or `wake`: that waits without the stack in between.
   */
  waitForInterrupt(untilMs: number): number;
  /** The serial ports of the machine: bit 0 for the first, bit 1 for the second. */
  serialPorts(): number;
  /**
   * Writes a text as UTF-8, behind all that waits. Port 1 is the log, port 2 the control channel. A
   * text is whole or, when nobody has read for seconds, dropped.
   */
  serialWrite(port: 1 | 2, text: string): void;
  /** The same for a text that is never dropped: one after each look at `serialRoom`. */
  serialSend(port: 1 | 2, text: string): void;
  /** Bytes that may still wait for the host. 0: it does not read, so send nothing now. */
  serialRoom(port: 1 | 2): number;
  /**
   * Returns the bytes that arrived, up to a line end or 2048 of them, each as one character below
   * U+0100 (a 0 as U+0001, a carriage return as a line end). Listen to line 4 for port 1, to line 3
   * for port 2: it ends a wait when a line has arrived, or 1024 bytes of one, and there is room.
   */
  serialRead(port: 1 | 2): string;
  /** The loader's words, without a path that it puts before them; at most 4096 bytes of them. */
  commandLine(): string;
  /** Bytes of the whole command line: more than 4096 when `commandLine()` is cut. */
  commandLineBytes(): number;
  /** Sorted by base, without overlaps. Frame 0 is in no region. */
  memoryMap(): MemoryRegion[];
  footprint(): Footprint;
  /** From now on the engine's heap grows by frames of the core's ledger. */
  growFromLedger(): void;
  /** Ends the machine: by isa-debug-exit at 0x501, else it logs the code and switches off. */
  exit(code: number): never;
  /** Writes the pattern of each frame's number and the seed; at most 65536 frames a call. */
  fillFrames(first: number, count: number, seed: number): void;
  /** Bytes that differ from what fillFrames wrote. */
  verifyFrames(first: number, count: number, seed: number): number;
  /**
   * Evaluates a script whose globals are its own, but for `machine`, and returns its value as a
   * text. Throws an Error for a script that throws, takes longer than `limitMs` or too much memory.
   */
  evaluate(script: string, limitMs: number): string;
  /** Sends a message to the user's program, if the image has one. */
  programSend(message: string): void;
  /** Returns the oldest message of the user's program; undefined: there is none. */
  programReceive(): string | undefined;
  /** Bytes that the caches of the program could give. */
  programOffers(): number;
  /** Collects the garbage of the program, also amid its turn. */
  programCollect(): void;
  /** Whether the program gave frames back to the ledger since the last call. */
  programFreed(): boolean;
  /** Whether the image has a program of the user's. */
  hasProgram(): boolean;
  /** Causes one of FAULT. */
  provoke(fault: number): void;
  /**
   * The core's exports. Its memory is guest physical memory: the first 1 GiB on i386, 4 GiB else.
   */
  readonly core: CoreExports;
}

/** Returns the machine. Only for `boot`, `wake` and what they call: see main.ts. */
export function theMachine(): Machine {
  return (globalThis as unknown as { readonly machine: Machine }).machine;
}
