/**
 * Hal: all that the driver may ask of the machine it runs on.
 */

/** Width of one access, in bytes. */
export type Width = 1 | 2 | 4;

/** How urgent a log line is; `error` is the most urgent. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** One message-signalled interrupt: the device writes `data` to `address` (PCI 3.0, 6.8.2). */
export interface InterruptMessage {
  /** Guest physical address, a multiple of 4. */
  readonly address: number;
  /** A u32. */
  readonly data: number;
}

/** Hands out interrupts that a device can raise by writing to memory. */
export interface InterruptAllocator {
  /** Returns `count` new messages, all different, or undefined when fewer are left. */
  allocate(count: number): readonly InterruptMessage[] | undefined;
}

/**
 * All that the driver may ask of the machine it runs on. The same driver runs in the unikernel, in
 * a wasm VM and in a test, each with a Hal of its own.
 *
 * Every access must have exactly the width asked for: some devices answer a 32-bit field only when
 * it is read with 32 bits (virtio 1.3, 4.1.3.1).
 */
export interface Hal {
  /**
   * Reads an I/O port. Returns an unsigned integer of the given width; all ones where nobody
   * answers.
   */
  portRead(port: number, width: Width): number;
  /** Writes an I/O port. `value` is unsigned and fits the width. */
  portWrite(port: number, width: Width, value: number): void;
  /** Reads device memory at a guest physical address, up to 2^53 - 1. Returns as `portRead`. */
  mmioRead(address: number, width: Width): number;
  /** Writes device memory at a guest physical address. `value` is as in `portWrite`. */
  mmioWrite(address: number, width: Width, value: number): void;
  /** Milliseconds since some fixed point; never goes back. May have a fraction. */
  now(): number;
  /** One line for people, without a line end. Must not throw. */
  log(level: LogLevel, line: string): void;
  /** Absent where the machine takes no message-signalled interrupts; the driver then uses lines. */
  readonly interrupts?: InterruptAllocator;
}
