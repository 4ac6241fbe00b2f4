/**
 * The capability list of the device's PCI function (virtio 1.3, 4.1.4; PCI 3.0, 6.7 and 6.8.2), and
 * what accesses to it do. Of all capabilities only the configuration access window and MSI-X's
 * control take writes.
 */

import type { CapSpec, MsixSpec, PciLayout } from "../host/profile.ts";
import { capLength } from "../host/profiles.ts";
import type { Context } from "../judge/context.ts";
import { CAP, CAP_BYTES, MSIX, PCI, PCI_STATUS } from "../spec/numbers.ts";
import { ones } from "../virtio/register-block.ts";
import type { MsixTable } from "./msix-table.ts";
import type { ConfigWatch, PciFunction } from "./pci-function.ts";

/** Offset of the first capability. */
const FIRST_CAP = 0x40;

interface PlacedCap {
  readonly at: number;
  readonly bytes: number;
  readonly spec: CapSpec;
}

export class CapabilityList implements ConfigWatch {
  private readonly context: Context;
  private readonly pciFunction: PciFunction;
  private readonly layout: PciLayout;
  private readonly table: MsixTable | undefined;
  private readonly lineIsUp: () => boolean;
  private readonly placed: PlacedCap[] = [];
  private end = FIRST_CAP;
  /** Offset of the pointer to the next capability. */
  private link: number = PCI.capabilities;
  private msixAt = 0;
  /** Whether somebody has pointed the configuration access window anywhere. */
  private windowSet = false;

  constructor(
    context: Context,
    pciFunction: PciFunction,
    layout: PciLayout,
    parts: { readonly table: MsixTable | undefined; lineIsUp(): boolean },
  ) {
    this.context = context;
    this.pciFunction = pciFunction;
    this.layout = layout;
    this.table = parts.table;
    this.lineIsUp = parts.lineIsUp;
    if (layout.msix !== undefined) this.placeMsix(layout.msix);
    for (const spec of layout.caps) this.placeVirtio(spec);
    this.refresh();
  }

  read(offset: number, width: number): number | undefined {
    if (offset === PCI.status || (offset === PCI.command && width === 4)) this.refresh();
    const window = this.windowAt(offset);
    return window === undefined ? undefined : this.throughWindow(window, width, undefined);
  }

  write(offset: number, width: number, value: number): boolean {
    const window = this.windowAt(offset);
    if (window !== undefined) {
      this.throughWindow(window, width, value);
      return true;
    }
    const cap = this.placed.find(({ at, bytes }) => offset >= at && offset < at + bytes);
    if (cap === undefined || cap.spec.type === CAP.pciCfg) return false;
    const seen = `a write into capability type ${cap.spec.type} at ${offset - cap.at}`;
    this.context.judge.breach("P-CAP-WRITE", seen);
    return true;
  }

  wrote(offset: number): void {
    if (this.placed.some(({ at, spec }) => spec.type === CAP.pciCfg && isTarget(offset - at))) {
      this.windowSet = true;
    }
    if (this.msixAt === 0 || offset < this.msixAt || offset >= this.msixAt + MSIX.table) return;
    this.table?.control(this.pciFunction.get(this.msixAt + MSIX.control, 2));
  }

  /** Reserves `bytes` for a capability and links it to the one before. Returns its offset. */
  private place(id: number, bytes: number): number {
    const { pciFunction } = this;
    const at = this.end;
    pciFunction.put(this.link, 1, at);
    pciFunction.put(at, 1, id);
    this.link = at + 1;
    this.end = at + bytes + (-bytes & 3);
    return at;
  }

  private placeMsix({ vectors, bar, table, pending }: MsixSpec): void {
    const { pciFunction } = this;
    const at = this.place(MSIX.capability, MSIX.capBytes);
    pciFunction.put(at + MSIX.control, 2, vectors - 1);
    pciFunction.put(at + MSIX.table, 4, table + bar);
    pciFunction.put(at + MSIX.pending, 4, pending + bar);
    pciFunction.allow(at + MSIX.control, 2, MSIX.enable | MSIX.functionMask);
    this.msixAt = at;
  }

  private placeVirtio(spec: CapSpec): void {
    const { pciFunction } = this;
    const bytes = capLength(spec);
    const at = this.place(PCI.vendorCapability, bytes);
    pciFunction.put(at + 2, 1, bytes);
    pciFunction.put(at + 3, 1, spec.type);
    pciFunction.put(at + 4, 1, spec.bar);
    pciFunction.put(at + 8, 4, spec.offset);
    pciFunction.put(at + 12, 4, spec.bytes);
    const { notifyMultiplier } = this.layout;
    if (spec.type === CAP.notifyCfg) pciFunction.put(at + CAP_BYTES, 4, notifyMultiplier);
    if (spec.type === CAP.pciCfg) this.openWindow(at);
    this.placed.push({ at, bytes, spec });
  }

  private openWindow(at: number): void {
    this.pciFunction.allow(at + 4, 1, 0xff);
    this.pciFunction.allow(at + 8, 4, 0xffff_ffff);
    this.pciFunction.allow(at + 12, 4, 0xffff_ffff);
    this.pciFunction.allow(at + CAP_BYTES, 4, 0xffff_ffff);
  }

  /** The status register shows the interrupt. */
  refresh(): void {
    const interrupt = this.lineIsUp() ? PCI_STATUS.interrupt : 0;
    const list = this.end > FIRST_CAP ? PCI_STATUS.capabilities : 0;
    this.pciFunction.put(PCI.status, 2, list | interrupt);
  }

  /** The configuration access capability whose data field stands at this offset. */
  private windowAt(offset: number): PlacedCap | undefined {
    if (!this.layout.window) return undefined;
    return this.placed.find(
      ({ at, spec }) =>
        spec.type === CAP.pciCfg && offset >= at + CAP_BYTES && offset < at + CAP_BYTES + 4,
    );
  }

  private throughWindow(cap: PlacedCap, width: number, value: number | undefined): number {
    const { pciFunction } = this;
    const bar = pciFunction.get(cap.at + 4, 1);
    const offset = pciFunction.get(cap.at + 8, 4);
    const length = pciFunction.get(cap.at + 12, 4);
    const sized = length === 1 || length === 2 || length === 4;
    if (!sized || offset % length !== 0) {
      this.judgeWindow("P-PCI-CFG-ALIGN", `offset ${offset}, length ${length}`);
      return ones(width);
    }
    const region = pciFunction.regions.find(
      (one) => one.bar === bar && offset >= one.offset && offset + length <= one.offset + one.bytes,
    );
    if (region === undefined) {
      this.judgeWindow("P-PCI-CFG-RANGE", `BAR ${bar}, offset ${offset}, length ${length}`);
      return ones(width);
    }
    if (value === undefined) return region.read(offset - region.offset, length);
    region.write(offset - region.offset, length, value % 256 ** length);
    return 0;
  }

  /** A system that dumps all of configuration space reads through a window that nobody has set. */
  private judgeWindow(rule: "P-PCI-CFG-ALIGN" | "P-PCI-CFG-RANGE", seen: string): void {
    if (this.context.subject === "system" && !this.windowSet) return;
    this.context.judge.breach(rule, seen);
  }
}

/** Whether this is the BAR, the offset or the length of the window. */
function isTarget(offset: number): boolean {
  return offset >= 4 && offset < CAP_BYTES;
}
