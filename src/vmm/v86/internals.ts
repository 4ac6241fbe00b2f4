/**
 * The parts of v86 that we need and that are not its public API. v86 is pinned to one version for
 * this reason. An emulator is checked for these members, so another version fails with a clear
 * error.
 */

import { VmmError } from "../errors.ts";

/** v86's virtio-balloon device. It counts in pages; `actual` is its own count, not the guest's. */
export interface V86BalloonDevice {
  num_pages: number;
  actual: number;
  /** `Inflate` and `Deflate` take a difference of targets. */
  Inflate(pages: number): void;
  Deflate(pages: number): void;
  Cleanup(done: (zeroedBytes: number) => void): void;
  GetStats(arrived: (values: Readonly<Record<string, number>>) => void): void;
  virtio: {
    device_feature: Uint32Array;
    driver_feature: Uint32Array;
    device_status: number;
    reset(): void;
    raise_irq(cause: number): void;
  };
}

interface V86Cpu {
  io: {
    register_read(port: number, device: object, r8: Read, r16: Read, r32: Read): void;
    register_write(port: number, device: object, w8: Write, w16: Write, w32: Write): void;
    port_read8(port: number): number;
    port_read16(port: number): number;
    /** Reading port 0xf4 loads the Multiboot image and returns what belongs into EAX. */
    port_read32(port: number): number;
    port_write8(port: number, value: number): void;
    port_write16(port: number, value: number): void;
    port_write32(port: number, value: number): void;
  };
  /** Accesses of memory above RAM. Values of 32 bits are signed. */
  mmap_read8(address: number): number;
  mmap_read32(address: number): number;
  mmap_write8(address: number, value: number): void;
  mmap_write16(address: number, value: number): void;
  mmap_write32(address: number, value: number): void;
  device_raise_irq(line: number): void;
  device_lower_irq(line: number): void;
  /** Forgets the code that was compiled from this range of memory. */
  jit_dirty_cache(from: number, to: number): void;
  /** The guest's memory, in the memory of v86's own module. */
  readonly mem8: Uint8Array;
  /** One element: 1 while the processor waits for an interrupt. */
  readonly in_hlt: Uint8Array;
  devices: { virtio_balloon?: V86BalloonDevice; pci: V86Pci; rtc: V86DateClock };
  reg32: Int32Array;
  reboot_internal(): void;
  /** Writes guest memory and forgets the code compiled from there. */
  write_blob(bytes: Uint8Array, address: number): void;
}

/** Configuration spaces and devices by bus, device and function number. */
interface V86Pci {
  devices: ({ pci_bars: unknown[] } | undefined)[];
  device_spaces: (Int32Array | undefined)[];
}

/** The clock of the date, by Date.now(): up to when it has counted, and when it rings next. */
interface V86DateClock {
  last_update: number;
  update_interrupt_time: number;
}

type Read = () => number;
type Write = (value: number) => void;

/** The loop that runs a machine: each tick runs the CPU for a while and asks for the next. */
export interface V86Loop {
  cpu: V86Cpu;
  running: boolean;
  stopping: boolean;
  tick_counter: number;
  init(settings: unknown): void;
  do_tick(): void;
  next_tick(delayMs: number): void;
  /** Its class, whose clock the devices of every machine read. */
  constructor: { microtick(): number };
}

/** Members of the emulator object. */
export interface V86Insides {
  v86: V86Loop;
  emulator_bus: { send(event: string): void };
  continue_init(loop: V86Loop, options: unknown): Promise<void>;
}

const LOOP_METHODS = ["init", "do_tick", "next_tick"] as const;
const CPU_METHODS = ["reboot_internal", "write_blob"] as const;
const BALLOON_METHODS = ["Inflate", "Deflate", "Cleanup", "GetStats"] as const;

export function checkLoop(loop: V86Loop): void {
  for (const name of LOOP_METHODS) expectFunction(loop[name], `v86.${name}`);
  if (typeof loop.tick_counter !== "number") throw missing("v86.tick_counter");
  expectFunction(loop.constructor.microtick, "V86.microtick");
}

/** Checks a machine that is set up. @throws VmmError `v86-internals`. */
export function checkCpu({ cpu, balloon }: { cpu: V86Cpu; balloon: boolean }): void {
  for (const name of CPU_METHODS) expectFunction(cpu[name], `v86.cpu.${name}`);
  expectFunction(cpu.io?.register_write, "v86.cpu.io.register_write");
  expectFunction(cpu.io?.port_read32, "v86.cpu.io.port_read32");
  if (!Array.isArray(cpu.devices?.pci?.device_spaces)) throw missing("v86.cpu.devices.pci");
  const { rtc } = cpu.devices;
  for (const name of ["last_update", "update_interrupt_time"] as const) {
    if (typeof rtc?.[name] !== "number") throw missing(`v86.cpu.devices.rtc.${name}`);
  }
  if (!balloon) return;
  const device = cpu.devices?.virtio_balloon;
  if (device === undefined) throw missing("v86.cpu.devices.virtio_balloon");
  for (const name of BALLOON_METHODS) expectFunction(device[name], `virtio_balloon.${name}`);
  expectFunction(device.virtio?.reset, "virtio_balloon.virtio.reset");
}

const FIRST_BAR_DWORD = 4;

/**
 * Clears base address registers without a BAR behind them: restoring a state looks up the BAR of
 * each register that says "I/O", and fails for an IDE channel without a disk. A register of a BAR
 * that a device lacks reads as 0 (PCI 3.0, 6.2.5.1).
 */
export function clearEmptyBars({ cpu }: { cpu: V86Cpu }): void {
  const { devices, device_spaces: spaces } = cpu.devices.pci;
  for (const [index, device] of devices.entries()) {
    const space = spaces[index];
    for (const [bar, described] of [...(device?.pci_bars ?? [])].entries()) {
      if (!described && space !== undefined) space[FIRST_BAR_DWORD + bar] = 0;
    }
  }
}

function expectFunction(value: unknown, name: string): void {
  if (typeof value !== "function") throw missing(name);
}

function missing(name: string): VmmError {
  return new VmmError({
    code: "v86-internals",
    what: "the installed v86",
    seen: `no ${name}`,
    todo: "install the version of v86 that package.json names",
  });
}
