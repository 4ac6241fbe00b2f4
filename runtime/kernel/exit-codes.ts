/**
 * The codes with which a guest ends its machine: isa-debug-exit takes them, the VMM reports them.
 * The guest program ends with one of EXIT, a panic of the boot code with one of STOP.
 */

/** How the guest program ends the machine. */
export const EXIT = {
  /** The host pressed the power button. */
  powerOff: 0,
  noBalloon: 10,
  tooLittleMemory: 11,
  badCommandLine: 12,
  /** There is a balloon device, but this guest cannot use it. */
  deviceFailed: 13,
  /** The user's program threw an error that it did not catch: PROGRAM_FAILED of program.c. */
  programFailed: 14,
} as const;

/** How a panic ends the machine: `enum stop_code` of runtime/kernel/boot/kernel.h. */
export const STOP = {
  wasmTrap: 0x41,
  /** An exception of the processor. */
  exception: 0x42,
  /** An error that no JavaScript caught. */
  uncaught: 0x43,
  noMemory: 0x44,
  /** The JavaScript engine gave up. */
  engine: 0x45,
  /** What the boot loader handed over cannot be used. */
  loader: 0x46,
  /** The processor lacks what the image is compiled for. */
  processor: 0x47,
} as const;
