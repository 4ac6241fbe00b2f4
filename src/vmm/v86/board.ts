/**
 * A PCI function of the caller's on v86's bus: its configuration space, its BARs, its interrupt.
 *
 * v86 asks one method for each width of access. These are wrapped: what belongs to the function
 * goes there, all else to v86 as before.
 */
import type { MachineClock } from "./clock.ts";
import type { V86Loop } from "./internals.ts";

/** Width of one access, in bytes. */
type Width = 1 | 2 | 4;

/** The function, as the reference device offers one. All values are unsigned. */
export interface BoardFunction {
  readonly config: {
    read(offset: number, width: Width): number;
    write(offset: number, width: Width, value: number): void;
  };
  readonly bars: readonly {
    readonly index: number;
    readonly kind: "io" | "memory";
    readonly bytes: number;
    readonly address: number;
    readonly decoded: boolean;
  }[];
  read(bar: number, offset: number, width: Width): number;
  write(bar: number, offset: number, width: Width, value: number): void;
  /** Whether the 16-bit field at this place of a memory BAR is read as one. */
  isHalfWord(bar: number, offset: number): boolean;
}

/** A place without a function. */
export const NO_FUNCTION: BoardFunction = {
  config: { read: (_offset, width) => 2 ** (8 * width) - 1, write: () => {} },
  bars: [],
  read: () => 0,
  write: () => {},
  isHalfWord: () => false,
};

const CONFIG_ADDRESS = 0xcf8;
const CONFIG_DATA = 0xcfc;
/** The function's place: 00:0b.0, where v86's own balloon is. */
const DEVICE_FUNCTION = 0x0b << 3;
const ENABLE = 0x8000_0000;
const INTERRUPT_LINE = 0x3c;
/** A line that no device of v86's machine has. */
const LINE = 11;

/** What v86's accesses are made through. */
type Ports = V86Loop["cpu"]["io"];

/** A function on the bus of one machine, from before its first instruction. */
export class Board {
  private readonly loop: V86Loop;
  private readonly clock: MachineClock;
  /** Whether the machine has had a tick since its clock was put forward. */
  private hasTicked = true;
  private plugged: BoardFunction = NO_FUNCTION;
  private selected = 0;
  private wanted = false;
  private raised = false;
  /** Whether the line was down since the processor was told: what is up then is a new edge. */
  private fell = false;
  /** The upper byte of a 16-bit field whose lower one was read, and its address. */
  private upper = { address: -1, value: 0 };

  constructor(loop: V86Loop, clock: MachineClock) {
    this.loop = loop;
    this.clock = clock;
  }

  /** Puts on the bus what `make` returns. */
  plug(make: (board: Board) => BoardFunction): void {
    const { loop } = this;
    this.replace(make(this));
    this.wrapPorts(loop.cpu.io);
    this.wrapMemory();
    const tick = loop.do_tick.bind(loop);
    loop.do_tick = () => {
      this.settleLine();
      this.inOwnTime(tick);
      this.settleLine();
    };
  }

  /** Puts another function where the last one was. The guest has to look for it. */
  replace(plugged: BoardFunction): void {
    this.plugged = plugged;
    plugged.config.write(INTERRUPT_LINE, 1, LINE);
  }

  /** Whether the processor waits for an interrupt. */
  get isHalted(): boolean {
    return this.loop.cpu.in_hlt[0] !== 0;
  }

  /** The guest's memory. What the device writes there has to be told by `wrote`. */
  readonly memory = () => {
    const { buffer, byteOffset, byteLength } = this.loop.cpu.mem8;
    const wrote = (address: number, bytes: number) =>
      this.loop.cpu.jit_dirty_cache(address, address + bytes);
    return { buffer, byteOffset, byteLength, wrote };
  };

  /**
   * The level of the function's interrupt line. It reaches the processor between two ticks: v86
   * loses an interrupt that is raised within an access.
   */
  line(up: boolean): void {
    this.wanted = up;
    if (!up) this.fell = true;
  }

  /**
   * Puts the machine's clock forward while its processor waits, as if nothing had happened in that
   * time. Returns whether it did: the processor has to look between two times.
   */
  skip(ms: number): boolean {
    if (!this.isHalted || !this.hasTicked) return false;
    this.hasTicked = false;
    this.clock.forward(ms);
    // The clock of the date alone counts the host's time.
    const { rtc } = this.loop.cpu.devices;
    rtc.last_update -= ms;
    rtc.update_interrupt_time -= ms;
    this.wake();
    return true;
  }

  /** Lets the processor look at once, after the host has done something. */
  wake(): void {
    if (this.loop.running) this.loop.next_tick(0);
  }

  /** v86's devices read one clock for all machines. */
  private inOwnTime(tick: () => void): void {
    const { constructor: shared } = this.loop;
    const { microtick } = shared;
    shared.microtick = this.clock.nowMs;
    try {
      tick();
    } finally {
      shared.microtick = microtick;
      this.hasTicked = true;
    }
  }

  private settleLine(): void {
    const { cpu } = this.loop;
    const { raised, fell } = this;
    this.fell = false;
    if (raised && fell) cpu.device_lower_irq(LINE);
    this.raised = this.wanted;
    if (!this.wanted || (raised && !fell)) return;
    cpu.device_raise_irq(LINE);
    this.wake();
  }

  private wrapPorts(io: Ports): void {
    const { port_read8, port_read16, port_read32, port_write8, port_write16, port_write32 } = io;
    const reading = (width: Width, before: (port: number) => number) => (port: number) =>
      this.readPort(port, width) ?? before.call(io, port);
    const writing =
      (width: Width, before: (port: number, value: number) => void) =>
      (port: number, value: number) => {
        if (!this.writePort(port, width, value)) before.call(io, port, value);
      };
    io.port_read8 = reading(1, port_read8);
    io.port_read16 = reading(2, port_read16);
    io.port_read32 = reading(4, port_read32);
    io.port_write8 = writing(1, port_write8);
    io.port_write16 = writing(2, port_write16);
    io.port_write32 = writing(4, port_write32);
  }

  private wrapMemory(): void {
    const { cpu } = this.loop;
    const { mmap_read8, mmap_read32, mmap_write8, mmap_write16, mmap_write32 } = cpu;
    const writing =
      (width: Width, before: (address: number, value: number) => void) =>
      (address: number, value: number) => {
        const bar = this.barAt("memory", address >>> 0);
        if (bar === undefined) before.call(cpu, address, value);
        else this.plugged.write(bar.index, (address >>> 0) - bar.address, width, value >>> 0);
      };
    cpu.mmap_read8 = (address) => this.readByte(address >>> 0) ?? mmap_read8.call(cpu, address);
    cpu.mmap_read32 = (address) => {
      const bar = this.barAt("memory", address >>> 0);
      if (bar === undefined) return mmap_read32.call(cpu, address);
      return this.plugged.read(bar.index, (address >>> 0) - bar.address, 4) | 0;
    };
    cpu.mmap_write8 = writing(1, mmap_write8);
    cpu.mmap_write16 = writing(2, mmap_write16);
    cpu.mmap_write32 = writing(4, mmap_write32);
  }

  /** v86 reads a 16-bit field of memory as two bytes: the first one reads the field. */
  private readByte(address: number): number | undefined {
    const bar = this.barAt("memory", address);
    if (bar === undefined) return undefined;
    const { upper } = this;
    this.upper = { address: -1, value: 0 };
    if (address === upper.address) return upper.value;
    const offset = address - bar.address;
    if (!this.plugged.isHalfWord(bar.index, offset)) {
      return this.plugged.read(bar.index, offset, 1);
    }
    const value = this.plugged.read(bar.index, offset, 2);
    this.upper = { address: address + 1, value: value >>> 8 };
    return value & 0xff;
  }

  private barAt(kind: "io" | "memory", address: number) {
    return this.plugged.bars.find(
      (bar) =>
        bar.kind === kind &&
        bar.decoded &&
        address >= bar.address &&
        address < bar.address + bar.bytes,
    );
  }

  /** The offset in configuration space that a data port stands for, when it is the function's. */
  private configOffset(port: number): number | undefined {
    if (port < CONFIG_DATA || port > CONFIG_DATA + 3) return undefined;
    const place = (this.selected >>> 8) & 0xffff;
    const isOurs = (this.selected & ENABLE) !== 0 && (place & 0x7fff) === DEVICE_FUNCTION;
    return isOurs ? (this.selected & 0xfc) + port - CONFIG_DATA : undefined;
  }

  private readPort(port: number, width: Width): number | undefined {
    const offset = this.configOffset(port);
    const bar = offset === undefined ? this.barAt("io", port) : undefined;
    const value =
      offset !== undefined
        ? this.plugged.config.read(offset, width)
        : bar && this.plugged.read(bar.index, port - bar.address, width);
    return width === 4 && value !== undefined ? value | 0 : value;
  }

  /** Returns whether the function has taken the write. */
  private writePort(port: number, width: Width, value: number): boolean {
    if (port === CONFIG_ADDRESS && width === 4) this.selected = value >>> 0;
    const offset = this.configOffset(port);
    if (offset !== undefined) {
      this.plugged.config.write(offset, width, value >>> 0);
      return true;
    }
    const bar = this.barAt("io", port);
    if (bar !== undefined) {
      this.plugged.write(bar.index, port - bar.address, width, value >>> 0);
    }
    return bar !== undefined;
  }
}
