/**
 * Assigns addresses to BARs, and bus numbers and windows to bridges, where firmware has not.
 *
 * A machine without firmware (a microVM, an emulator that boots a kernel itself) leaves some or all
 * of that undone. What firmware did assign stays, and its addresses are not given again; but a BAR
 * where the guest cannot reach it is moved.
 *
 * Everything behind a bridge gets 32-bit memory of the bridge's ordinary window, which is always
 * allowed, even for prefetchable and 64-bit BARs. A BAR behind a bridge whose windows firmware
 * opened gets an address only within them.
 *
 * A function is sized and moved only while it decodes nothing.
 */
import type { AddressRange } from "../acpi/resources.ts";
import { AddressWindow, type AddressWindows } from "./address-windows.ts";
import { BAR_COUNT, type Bar, MEMORY_SPACE_END, readBars, sizeBar } from "./bars.ts";
import { formatPciAddress, type PciAddress, type PciConfigAccess } from "./config.ts";
import { enumeratePci, type PciFunction } from "./enumerate.ts";

export interface AssignOptions {
  readonly config: PciConfigAccess;
  readonly windows: AddressWindows;
  /** Default [0]. */
  readonly rootBuses?: readonly number[];
  /** The highest number that a bus may get. Default 255. */
  readonly lastBus?: number;
  /** The guest reaches no memory from here on: no BAR stays or gets there. Default 2^53. */
  readonly memoryEnd?: number;
  /** Whether to assign this function's BARs. Default: all. Bridges are numbered in any case. */
  wants?(pciFunction: PciFunction): boolean;
}

export interface Assignment {
  /** How many BARs got an address. */
  readonly bars: number;
  /** How many bridges got a bus number. */
  readonly bridges: number;
  /** What could not be done, for people: "00:02.0 BAR 1: no 4096 bytes of memory left". */
  readonly unplaced: readonly string[];
}

const COMMAND = 0x04;
const COMMAND_DECODE = 3;
const COMMAND_BRIDGE = 7;
const FIRST_BAR = 0x10;
const PRIMARY_BUS = 0x18;
const SECONDARY_BUS = 0x19;
const SUBORDINATE_BUS = 0x1a;
const IO_BASE = 0x1c;
const IO_LIMIT = 0x1d;
const MEMORY_BASE = 0x20;
const MEMORY_LIMIT = 0x22;
const PREFETCH_BASE = 0x24;
const PREFETCH_LIMIT = 0x26;
const PREFETCH_BASE_UPPER = 0x28;
const PREFETCH_LIMIT_UPPER = 0x2c;
const IO_UPPER = 0x30;

const LAYOUT_DEVICE = 0;
const LAYOUT_BRIDGE = 1;
const BRIDGE_BARS = 2;
const LAST_BUS = 255;
/** A page: no two devices share one. */
const MEMORY_ALIGNMENT = 4096;
const IO_WINDOW = 0x1000;
const MEMORY_WINDOW = 0x10_0000;
const MEMORY_32_END = 0x1_0000_0000;

/** Assigns all that is missing. With nothing missing it writes only to size empty BARs. */
export function assignPci(options: AssignOptions): Assignment {
  return new Assigner(options).run();
}

/** The windows that one bus may use. */
interface BusWindows {
  readonly io: AddressWindow | undefined;
  readonly memory: AddressWindow | undefined;
  readonly high: AddressWindow | undefined;
}

class Assigner {
  private readonly options: AssignOptions;
  private readonly config: PciConfigAccess;
  private readonly memoryEnd: number;
  private readonly unplaced: string[] = [];
  private taken: readonly Taken[] = [];
  private bars = 0;
  private bridges = 0;
  private lastBus = 0;

  constructor(options: AssignOptions) {
    this.options = options;
    this.config = options.config;
    this.memoryEnd = options.memoryEnd ?? MEMORY_SPACE_END;
  }

  run(): Assignment {
    const { config, windows, rootBuses = [0] } = this.options;
    const functions = enumeratePci({ config, rootBuses });
    for (const { address, secondaryBus = 0 } of functions) {
      this.lastBus = Math.max(this.lastBus, address.bus, secondaryBus);
    }
    if (functions.some((it) => this.isUndone(it))) {
      this.taken = functions.flatMap((it) => this.takenBy(it));
      const root: BusWindows = {
        io: windows.io && this.openWindow(windows.io, "io"),
        memory: windows.memory && this.openWindow(windows.memory, "memory"),
        high: windows.memoryHigh && this.openWindow(windows.memoryHigh, "memory"),
      };
      for (const bus of rootBuses) this.assignBus(bus, root);
    }
    return { bars: this.bars, bridges: this.bridges, unplaced: this.unplaced };
  }

  /** The range without what firmware assigned of it. What holds all of it is a bridge's window. */
  private openWindow(range: AddressRange, kind: Taken["kind"]): AddressWindow {
    const holds = ({ start, end }: Taken) => start <= range.start && end >= range.end;
    const taken = this.taken.filter((it) => it.kind === kind && !holds(it));
    return new AddressWindow(range, kind === "io" ? taken : [...taken, ...this.closed]);
  }

  private get closed(): readonly AddressRange[] {
    const beyond = { start: this.memoryEnd, end: Infinity };
    return [...(this.options.windows.closed ?? []), beyond];
  }

  private firmwareWindow(range: AddressRange, kind: Taken["kind"]): OpenWindow {
    return { window: this.openWindow(range, kind), close: () => {} };
  }

  private isUndone(pciFunction: PciFunction): boolean {
    if (pciFunction.headerLayout === LAYOUT_BRIDGE && pciFunction.secondaryBus === 0) return true;
    return this.isWanted(pciFunction) && this.barsToPlace(pciFunction).length > 0;
  }

  private barsToPlace(pciFunction: PciFunction): number[] {
    return barsWithoutPlace(this.config, pciFunction, this.memoryEnd);
  }

  private isWanted(pciFunction: PciFunction): boolean {
    return this.options.wants?.(pciFunction) ?? true;
  }

  /** Address space that firmware gave to this function. */
  private takenBy(pciFunction: PciFunction): Taken[] {
    const { address } = pciFunction;
    const bars = barsOf(this.config, pciFunction).flatMap((bar, index): Taken[] => {
      if (bar.kind === "unusable") return [];
      const end = bar.base + sizeBar(this.config, address, index);
      return [{ kind: bar.kind, start: bar.base, end }];
    });
    if (pciFunction.headerLayout !== LAYOUT_BRIDGE) return bars;
    const io = this.ioWindow(address);
    const memory = this.memoryWindow(address);
    const prefetch = this.prefetchWindow(address);
    if (io) bars.push({ kind: "io", ...io });
    if (memory) bars.push({ kind: "memory", ...memory });
    if (prefetch) bars.push({ kind: "memory", ...prefetch });
    return bars;
  }

  private assignBus(bus: number, windows: BusWindows): void {
    for (const pciFunction of enumerateBus(this.config, bus)) {
      const { address } = pciFunction;
      if (this.isWanted(pciFunction)) this.assignBars(pciFunction, windows);
      if (pciFunction.headerLayout !== LAYOUT_BRIDGE) continue;
      const known = this.config.read(address, SECONDARY_BUS, 1);
      const behind = known === 0 ? this.numberBridge(address) : known;
      if (behind <= bus) continue;
      this.assignBehind(address, behind, windows);
      if (known === 0) this.config.write(address, SUBORDINATE_BUS, 1, this.lastBus);
    }
  }

  private assignBars(pciFunction: PciFunction, windows: BusWindows): void {
    const { address } = pciFunction;
    for (const index of this.barsToPlace(pciFunction)) {
      const size = sizeBar(this.config, address, index);
      const word = this.config.read(address, FIRST_BAR + 4 * index, 4);
      const isIo = (word & 1) === 1;
      const isWide = !isIo && (word & 6) === 4;
      const least = isIo ? size : Math.max(size, MEMORY_ALIGNMENT);
      const base = isIo
        ? windows.io?.take(size)
        : (windows.memory?.take(size, least) ??
          (isWide ? windows.high?.take(size, least) : undefined));
      if (base === undefined) {
        const kind = isIo ? "ports" : "bytes of memory";
        this.unplaced.push(`${formatPciAddress(address)} BAR ${index}: no ${size} ${kind} left`);
        continue;
      }
      this.writeBar(address, index, base, isWide);
      this.bars += 1;
    }
  }

  private writeBar(address: PciAddress, index: number, base: number, isWide: boolean): void {
    const { config } = this;
    const command = config.read(address, COMMAND, 2);
    const isDecoding = (command & COMMAND_DECODE) !== 0;
    if (isDecoding) config.write(address, COMMAND, 2, command & ~COMMAND_DECODE);
    config.write(address, FIRST_BAR + 4 * index, 4, base % MEMORY_32_END);
    if (isWide) config.write(address, FIRST_BAR + 4 * index + 4, 4, Math.floor(base / 2 ** 32));
    if (isDecoding) config.write(address, COMMAND, 2, command);
  }

  /** Numbers the bus behind, for now up to the last bus; 0: no number is left. */
  private numberBridge(address: PciAddress): number {
    const { config } = this;
    if (this.lastBus >= (this.options.lastBus ?? LAST_BUS)) {
      this.unplaced.push(`${formatPciAddress(address)}: no bus number left`);
      return 0;
    }
    this.lastBus += 1;
    config.write(address, PRIMARY_BUS, 1, address.bus);
    config.write(address, SECONDARY_BUS, 1, this.lastBus);
    config.write(address, SUBORDINATE_BUS, 1, LAST_BUS);
    this.bridges += 1;
    return this.lastBus;
  }

  private assignBehind(address: PciAddress, bus: number, outer: BusWindows): void {
    const io = this.openIo(address, outer.io);
    const memory = this.openMemory(address, outer.memory);
    this.assignBus(bus, { io: io.window, memory: memory.window, high: undefined });
    io.close();
    memory.close();
    const command = this.config.read(address, COMMAND, 2);
    if ((command & COMMAND_BRIDGE) !== COMMAND_BRIDGE) {
      this.config.write(address, COMMAND, 2, command | COMMAND_BRIDGE);
    }
  }

  /** The ports that firmware let the bridge forward; undefined: none. */
  private ioWindow(address: PciAddress): AddressRange | undefined {
    const base = this.config.read(address, IO_BASE, 1);
    const limit = this.config.read(address, IO_LIMIT, 1);
    const start = (base & 0xf0) << 8;
    const end = ((limit & 0xf0) << 8) + IO_WINDOW;
    return start < end && (start !== 0 || limit !== base) ? { start, end } : undefined;
  }

  private memoryWindow(address: PciAddress): AddressRange | undefined {
    const start = (this.config.read(address, MEMORY_BASE, 2) & 0xfff0) * 0x1_0000;
    const limit = (this.config.read(address, MEMORY_LIMIT, 2) & 0xfff0) * 0x1_0000;
    const end = limit + MEMORY_WINDOW;
    return start < end && start !== 0 ? { start, end } : undefined;
  }

  /** The prefetchable one; its upper halves count only where the bridge says that it has them. */
  private prefetchWindow(address: PciAddress): AddressRange | undefined {
    const { config } = this;
    const [base, limit] = [PREFETCH_BASE, PREFETCH_LIMIT].map((at) => config.read(address, at, 2));
    const [baseUpper, limitUpper] = [PREFETCH_BASE_UPPER, PREFETCH_LIMIT_UPPER].map((at) =>
      ((base as number) & 0xf) === 1 ? config.read(address, at, 4) : 0,
    );
    const at = (low = 0, high = 0) => high * MEMORY_32_END + (low & 0xfff0) * 0x1_0000;
    const start = at(base, baseUpper);
    const end = at(limit, limitUpper) + MEMORY_WINDOW;
    return start < end && start !== 0 ? { start, end } : undefined;
  }

  /** The bridge's window of ports: firmware's, or a new one, which is cut to what is used of it. */
  private openIo(address: PciAddress, outer: AddressWindow | undefined): OpenWindow {
    const { config } = this;
    const known = this.ioWindow(address);
    if (known) return this.firmwareWindow(known, "io");
    return newWindow(outer, IO_WINDOW, (used) => {
      // A base above the limit closes the window (PCI-to-PCI Bridge 1.2, 3.2.5.6).
      const last = used ? used.end - IO_WINDOW : 0;
      config.write(address, IO_UPPER, 4, 0);
      config.write(address, IO_BASE, 1, (used?.start ?? 0xf000) >>> 8);
      config.write(address, IO_LIMIT, 1, last >>> 8);
    });
  }

  private openMemory(address: PciAddress, outer: AddressWindow | undefined): OpenWindow {
    const { config } = this;
    const known = this.memoryWindow(address);
    if (known) return this.firmwareWindow(known, "memory");
    return newWindow(outer, MEMORY_WINDOW, (used) => {
      const last = used ? used.end - MEMORY_WINDOW : 0;
      config.write(address, MEMORY_BASE, 2, Math.floor((used?.start ?? 0xfff0_0000) / 0x1_0000));
      config.write(address, MEMORY_LIMIT, 2, Math.floor(last / 0x1_0000));
      // Firmware's stays: other devices may be in it.
      if (this.prefetchWindow(address)) return;
      config.write(address, PREFETCH_BASE, 2, 0xfff0);
      config.write(address, PREFETCH_LIMIT, 2, 0);
    });
  }
}

/** Address space that firmware gave to a BAR. */
interface Taken extends AddressRange {
  readonly kind: "io" | "memory";
}

interface OpenWindow {
  readonly window: AddressWindow | undefined;
  /** Writes to the bridge, and takes from the outer window, what was used. */
  close(): void;
}

function newWindow(
  outer: AddressWindow | undefined,
  granule: number,
  program: (used: AddressRange | undefined) => void,
): OpenWindow {
  const range = outer?.rest(granule);
  if (outer === undefined || range === undefined) {
    return { window: undefined, close: () => program(undefined) };
  }
  const window = new AddressWindow(range);
  return {
    window,
    close() {
      const end = window.alignTo(granule) ?? range.end;
      if (end === range.start) return program(undefined);
      outer.take(end - range.start, granule);
      program({ start: range.start, end });
    },
  };
}

function enumerateBus(config: PciConfigAccess, bus: number): PciFunction[] {
  return enumeratePci({ config, rootBuses: [bus] }).filter(({ address }) => address.bus === bus);
}

function barCount({ headerLayout }: PciFunction): number {
  if (headerLayout === LAYOUT_DEVICE) return BAR_COUNT;
  return headerLayout === LAYOUT_BRIDGE ? BRIDGE_BARS : 0;
}

function barsOf(config: PciConfigAccess, pciFunction: PciFunction): readonly Bar[] {
  return readBars(config, pciFunction.address).slice(0, barCount(pciFunction));
}

/**
 * Indices of the BARs that have no address, or one at or beyond `memoryEnd`. Where that is a power
 * of two, no BAR lies across it: its address is a multiple of its size.
 */
export function barsWithoutPlace(
  config: PciConfigAccess,
  pciFunction: PciFunction,
  memoryEnd: number,
): number[] {
  const { address } = pciFunction;
  const found: number[] = [];
  for (let index = 0; index < barCount(pciFunction); index++) {
    const word = config.read(address, FIRST_BAR + 4 * index, 4);
    const isWide = (word & 7) === 4;
    const upper = isWide ? config.read(address, FIRST_BAR + 4 * index + 4, 4) : 0;
    const isIo = (word & 1) === 1;
    const base = isIo ? word & ~3 : ((word & ~15) >>> 0) + upper * MEMORY_32_END;
    const isBeyond = !isIo && base >= memoryEnd;
    if ((base === 0 || isBeyond) && sizeBar(config, address, index) !== 0) found.push(index);
    if (isWide) index += 1;
  }
  return found;
}
