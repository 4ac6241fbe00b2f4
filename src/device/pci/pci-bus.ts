/**
 * The PCI host bridge: configuration mechanism #1 and the decoding of I/O and memory addresses.
 *
 * An address that nobody answers reads as all ones (memory on request as zeros). Writes there have
 * no effect. Both are in the trace.
 */

import type { BarSpec } from "../host/profile.ts";
import type { Context } from "../judge/context.ts";
import type { Parts } from "../snapshot/part.ts";
import { PCI } from "../spec/numbers.ts";
import type { AbsentMemory, Bus } from "../virtio/bus.ts";
import { ones, unanswered } from "../virtio/register-block.ts";
import { accessBar } from "./bar-access.ts";
import type { PciFunction } from "./pci-function.ts";

interface Hit {
  readonly owner: PciFunction;
  readonly bar: BarSpec;
  readonly offset: number;
}

export class PciBus implements Bus {
  readonly parts: Parts;
  private readonly functions: readonly PciFunction[];
  private readonly context: Context;
  private readonly absentMemory: AbsentMemory;
  private address = 0;

  /** `parts` are those of the functions. */
  constructor(
    context: Context,
    absentMemory: AbsentMemory,
    functions: readonly PciFunction[],
    parts: Parts = {},
  ) {
    this.context = context;
    this.absentMemory = absentMemory;
    this.functions = functions;
    const spaces = functions.map((one) => [`function ${one.bus}:${one.device}.${one.number}`, one]);
    this.parts = { bus: this, ...Object.fromEntries(spaces), ...parts };
  }

  save() {
    return { address: this.address };
  }

  load({ address }: ReturnType<PciBus["save"]>): void {
    this.address = address;
  }

  portRead(port: number, width: number): number {
    if (port === PCI.addressPort && width === 4) return this.address;
    const at = this.configOffset(port, width);
    if (at === undefined) return this.decoded("io", port, width, undefined);
    const target = this.selected();
    const value = at < 0 || target === undefined ? ones(width) : target.read(at, width);
    this.context.trace.add("pci", "config read", { at: this.address + (port & 3), width, value });
    return value;
  }

  portWrite(port: number, width: number, value: number): void {
    if (port === PCI.addressPort && width === 4) {
      this.address = value & 0x80ff_fffc;
      this.address >>>= 0;
      return;
    }
    const at = this.configOffset(port, width);
    if (at === undefined) {
      this.decoded("io", port, width, value);
      return;
    }
    this.context.trace.add("pci", "config write", { at: this.address + (port & 3), width, value });
    const target = this.selected();
    if (at < 0 || target === undefined) return;
    if (target.decoy) this.stranger(target, `configuration write at ${at}`);
    target.write(at, width, value);
  }

  mmioRead(address: number, width: number): number {
    return this.decoded("memory", address, width, undefined);
  }

  mmioWrite(address: number, width: number, value: number): void {
    this.decoded("memory", address, width, value);
  }

  /** Offset in configuration space; -1 when the access is malformed; undefined for other ports. */
  private configOffset(port: number, width: number): number | undefined {
    const lane = port - PCI.dataPort;
    if (lane < 0 || lane > 3) return undefined;
    if (lane + width > 4) {
      const seen = `${width} bytes at port 0x${port.toString(16)}`;
      this.context.judge.breach("P-CONFIG-ALIGN", seen);
      return -1;
    }
    return (this.address & 0xfc) + lane;
  }

  private selected(): PciFunction | undefined {
    if (this.address < 0x8000_0000) return undefined;
    const bus = (this.address >>> 16) & 0xff;
    const device = (this.address >>> 11) & 0x1f;
    const number = (this.address >>> 8) & 7;
    return this.functions.find(
      (one) => one.bus === bus && one.device === device && one.number === number,
    );
  }

  private decoded(
    kind: "io" | "memory",
    address: number,
    width: number,
    value: number | undefined,
  ): number {
    const hit = this.find(kind, address);
    if (hit === undefined) return this.nobody(kind, address, width, value);
    if (hit.owner.decoy) {
      this.stranger(hit.owner, `BAR access at 0x${address.toString(16)}`);
      return ones(width);
    }
    const { bar, offset } = hit;
    return accessBar(this.context, hit.owner, { bar, offset, width, value });
  }

  private find(kind: "io" | "memory", address: number): Hit | undefined {
    for (const owner of this.functions) {
      for (const bar of owner.bars) {
        if ((bar.kind === "io") !== (kind === "io")) continue;
        const base = owner.barBase(bar);
        if (address >= base && address < base + bar.bytes) {
          return { owner, bar, offset: address - base };
        }
      }
    }
    return undefined;
  }

  private nobody(kind: string, address: number, width: number, value: number | undefined): number {
    const what = value === undefined ? `${kind} read` : `${kind} write`;
    const nothing = kind === "memory" && this.absentMemory === "zeros" ? 0 : ones(width);
    const written = value === undefined ? {} : { value };
    return unanswered(this.context, what, { address, width, ...written }, nothing);
  }

  private stranger(target: PciFunction, what: string): void {
    if (this.context.subject === "system") return;
    const name = `${target.bus}:${target.device}.${target.number}`;
    this.context.judge.breach("P-WRONG-DEVICE", `${what} of ${name}, which is no balloon`);
  }
}
