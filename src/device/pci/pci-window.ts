/** The balloon's PCI function, as a machine of the caller's reaches it. */

import { MachineOptionError } from "../errors.ts";
import type { BarSpec } from "../host/profile.ts";
import type { Context } from "../judge/context.ts";
import type { AbsentMemory } from "../virtio/bus.ts";
import { ones, unanswered } from "../virtio/register-block.ts";
import { accessBar } from "./bar-access.ts";
import type { PciFunction } from "./pci-function.ts";

/** Width of one access, in bytes. */
type Width = 1 | 2 | 4;

/** A BAR of the function, as it is now. */
export interface PciBar {
  /** From 0 to 5; a 64-bit BAR takes the next number, too. */
  readonly index: number;
  readonly kind: "io" | "memory";
  readonly bytes: number;
  /** Where the guest has put it; 0 before that. */
  readonly address: number;
  /** Whether the guest lets the function answer there. */
  readonly decoded: boolean;
}

/** The device as a PCI function by itself. All values are unsigned. */
export interface PciDevice {
  /** Configuration space. Bytes beyond the 256 of conventional PCI read as zeros. */
  readonly config: {
    read(offset: number, width: Width): number;
    write(offset: number, width: Width, value: number): void;
    /** Reads without being an access of the driver's: it is not judged, and takes no time. */
    peek(offset: number, width: Width): number;
  };
  readonly bars: readonly PciBar[];
  /**
   * Returns all ones where no register answers.
   *
   * @throws MachineOptionError when the function has no such BAR.
   */
  read(bar: number, offset: number, width: Width): number;
  /** @throws MachineOptionError when the function has no such BAR. */
  write(bar: number, offset: number, width: Width, value: number): void;
}

/** What happens around each access. */
interface Around {
  before(): void;
  after(): void;
  /** The guest moved a BAR, or switched its decoding. */
  mapped(): void;
}

const CONFIG_BYTES = 256;

export class PciWindow implements PciDevice {
  readonly config: PciDevice["config"];
  private readonly context: Context;
  private readonly around: Around;
  private shown: PciFunction | undefined;
  private absent: AbsentMemory = "ones";

  constructor(context: Context, around: Around) {
    this.context = context;
    this.around = around;
    this.config = {
      read: (offset, width) => this.readConfig(offset, width),
      write: (offset, width, value) => this.writeConfig(offset, width, value),
      peek: (offset, width) => {
        if (this.shown === undefined) return ones(width);
        return offset + width > CONFIG_BYTES ? 0 : this.shown.peek(offset, width);
      },
    };
  }

  /** The function is there from now on. */
  show(one: PciFunction): void {
    const again = this.shown !== undefined;
    this.shown = one;
    one.onMapping = () => this.around.mapped();
    if (again) this.around.mapped();
  }

  /** The function is gone: reads find nothing. */
  hide(absent: AbsentMemory): void {
    if (this.shown === undefined) return;
    this.shown = undefined;
    this.absent = absent;
    this.around.mapped();
  }

  get bars(): readonly PciBar[] {
    const { shown } = this;
    if (shown === undefined) return [];
    return shown.bars.map((bar) => {
      const kind = kindOf(bar);
      const address = shown.barBase(bar);
      return { index: bar.index, kind, bytes: bar.bytes, address, decoded: shown.decodes(kind) };
    });
  }

  read(bar: number, offset: number, width: Width): number {
    return this.access(bar, offset, width, undefined);
  }

  write(bar: number, offset: number, width: Width, value: number): void {
    this.access(bar, offset, width, value);
  }

  private access(index: number, offset: number, width: Width, value: number | undefined): number {
    this.around.before();
    const { shown, context } = this;
    if (shown === undefined) return this.nobody(offset, width, value);
    const bar = shown.bars.find((one) => one.index === index);
    if (bar === undefined) {
      const there = shown.bars.map((one) => one.index).join(", ");
      throw new MachineOptionError("bar", String(index), `name one of ${there}`);
    }
    const read = accessBar(context, shown, { bar, offset, width, value });
    this.around.after();
    return read;
  }

  private readConfig(offset: number, width: Width): number {
    this.around.before();
    const { shown } = this;
    if (shown === undefined) return ones(width);
    const value = offset + width > CONFIG_BYTES ? 0 : shown.read(offset, width);
    this.context.trace.add("pci", "config read", { at: offset, width, value });
    this.around.after();
    return value;
  }

  private writeConfig(offset: number, width: Width, value: number): void {
    this.around.before();
    const { shown } = this;
    this.context.trace.add("pci", "config write", { at: offset, width, value });
    if (shown === undefined || offset + width > CONFIG_BYTES) return;
    shown.write(offset, width, value);
    this.around.after();
  }

  private nobody(address: number, width: Width, value: number | undefined): number {
    const nothing = this.absent === "zeros" ? 0 : ones(width);
    const access = { address, width, ...(value !== undefined && { value }) };
    return unanswered(this.context, value === undefined ? "read" : "write", access, nothing);
  }
}

function kindOf({ kind }: BarSpec): "io" | "memory" {
  return kind === "io" ? "io" : "memory";
}
