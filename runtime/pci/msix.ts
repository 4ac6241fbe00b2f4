/**
 * MSI-X: a table in the device, each entry of which is a message that it may send (PCI 3.0, 6.8.2).
 *
 *   capability  +0 id = 0x11  +1 next  +2 message control  +4 table offset | BIR  +8 pending bits
 *   one entry   +0 address low   +4 address high   +8 data   +12 vector control (bit 0: masked)
 *
 * An entry is rewritten only while the whole function is masked, so the device never sends half of
 * one message and half of another.
 */
import { hex } from "../errors.ts";
import type { Hal, InterruptMessage } from "../hal.ts";
import { type Bar, spaceEnd } from "./bars.ts";
import { CAPABILITIES_END, readCapabilities } from "./capabilities.ts";
import { formatPciAddress, type PciAddress, type PciConfigAccess } from "./config.ts";

const CAPABILITY_MSIX = 0x11;
const CAPABILITY_LENGTH = 12;
const MESSAGE_CONTROL = 2;
const TABLE = 4;

const CONTROL_TABLE_SIZE = 0x07ff;
const CONTROL_FUNCTION_MASK = 0x4000;
const CONTROL_ENABLE = 0x8000;

const ENTRY_LENGTH = 16;
const ENTRY_MASK = 1;
const TWO_32 = 0x1_0000_0000;

export interface MsixOptions {
  readonly hal: Hal;
  readonly config: PciConfigAccess;
  readonly address: PciAddress;
  readonly bars: readonly Bar[];
  /** The guest cannot reach memory at or above this address. */
  readonly memoryEnd: number;
}

/** Returns the function's MSI-X, turned off; undefined: it has none that can be used. */
export function openMsix(options: MsixOptions): Msix | undefined {
  const { config, address, hal, memoryEnd, bars } = options;
  const found = readCapabilities(config, address).find(({ id }) => id === CAPABILITY_MSIX);
  if (found === undefined || found.offset + CAPABILITY_LENGTH > CAPABILITIES_END) return undefined;
  const control = config.read(address, found.offset + MESSAGE_CONTROL, 2);
  const tableSize = (control & CONTROL_TABLE_SIZE) + 1;
  const word = config.read(address, found.offset + TABLE, 4);
  const bar = bars[word & 7];
  if (bar?.kind !== "memory") {
    const why = bar?.kind === "unusable" ? bar.reason : "not a memory BAR";
    hal.log("warn", `MSI-X of ${formatPciAddress(address)}: its table's BAR is ${why}`);
    return undefined;
  }
  const tableAt = bar.base + (word - (word & 7));
  if (tableAt + tableSize * ENTRY_LENGTH > Math.min(spaceEnd(bar), memoryEnd)) {
    hal.log("warn", `MSI-X of ${formatPciAddress(address)}: its table at ${hex(tableAt)} is far`);
    return undefined;
  }
  const msix = new Msix({ hal, config, address, capability: found.offset, tableAt, tableSize });
  msix.disable();
  return msix;
}

interface MsixParts {
  readonly hal: Hal;
  readonly config: PciConfigAccess;
  readonly address: PciAddress;
  /** Where the capability starts. */
  readonly capability: number;
  /** Guest physical address of the table, whose space must be decoded before `enable`. */
  readonly tableAt: number;
  readonly tableSize: number;
}

/** MSI-X of one function. */
export class Msix {
  /** Entries of the table. */
  readonly tableSize: number;
  private readonly parts: MsixParts;

  constructor(parts: MsixParts) {
    this.parts = parts;
    this.tableSize = parts.tableSize;
  }

  get isEnabled(): boolean {
    return (this.readControl() & CONTROL_ENABLE) !== 0;
  }

  /** Makes entry i message i, unmasked, and turns MSI-X on, which turns INTx off. */
  enable(messages: readonly InterruptMessage[]): void {
    const control = this.readControl() & ~(CONTROL_ENABLE | CONTROL_FUNCTION_MASK);
    this.writeControl(control | CONTROL_ENABLE | CONTROL_FUNCTION_MASK);
    messages.forEach((message, index) => {
      this.writeEntry(index, message);
    });
    // crosvm looks at the entries only when MSI-X is turned on, not when its mask is cleared.
    this.writeControl(control);
    this.writeControl(control | CONTROL_ENABLE);
  }

  /** Turns MSI-X off. */
  disable(): void {
    const control = this.readControl();
    const off = control & ~(CONTROL_ENABLE | CONTROL_FUNCTION_MASK);
    if (control !== off) this.writeControl(off);
  }

  /** Entries are accessed by aligned 32-bit words (PCI 3.0, 6.8.2). */
  private writeEntry(index: number, { address, data }: InterruptMessage): void {
    const { hal, tableAt } = this.parts;
    const at = tableAt + index * ENTRY_LENGTH;
    hal.mmioWrite(at, 4, address % TWO_32);
    hal.mmioWrite(at + 4, 4, Math.floor(address / TWO_32));
    hal.mmioWrite(at + 8, 4, data);
    // The other bits are reserved: they keep their values.
    hal.mmioWrite(at + 12, 4, (hal.mmioRead(at + 12, 4) & ~ENTRY_MASK) >>> 0);
  }

  private readControl(): number {
    const { config, address, capability } = this.parts;
    return config.read(address, capability + MESSAGE_CONTROL, 2);
  }

  private writeControl(value: number): void {
    const { config, address, capability } = this.parts;
    config.write(address, capability + MESSAGE_CONTROL, 2, value);
  }
}
