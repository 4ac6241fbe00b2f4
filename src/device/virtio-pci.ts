/**
 * The modern PCI transport's face: capabilities and the structures that they describe (virtio 1.3,
 * 4.1.4).
 *
 * It must not know the balloon. Invariant: every access to a structure is in the trace, and one of
 * a wrong width is a breach, whatever the profile then does with it.
 */

import { CommonConfig } from "./common-config.ts";
import type { Context } from "./context.ts";
import type { Field } from "./fields.ts";
import { CAP, CAP_BYTES, FEATURE, ID, PCI, PCI_STATUS } from "./numbers.ts";
import { type ConfigWatch, PciFunction, type Region } from "./pci-function.ts";
import type { CapSpec, Profile } from "./profile.ts";
import { capLength } from "./profiles.ts";
import { configFields, type Face, ones, Structures } from "./structure.ts";
import type { VirtioDevice } from "./virtio.ts";

/** Where the first capability stands. */
const FIRST_CAP = 0x40;

interface PlacedCap {
  readonly at: number;
  readonly bytes: number;
  readonly spec: CapSpec;
}

export class VirtioPci {
  readonly pciFunction: PciFunction;
  private readonly context: Context;
  private readonly profile: Profile;
  private readonly virtio: VirtioDevice;
  private readonly structures: Structures;
  private readonly placed: PlacedCap[] = [];

  constructor(context: Context, profile: Profile, virtio: VirtioDevice) {
    this.context = context;
    this.profile = profile;
    this.virtio = virtio;
    const rules = { width: "P-WIDTH", hole: "P-HOLE" } as const;
    this.structures = new Structures(context, profile.access, rules);
    const { pci } = profile;
    const identity = {
      vendorId: ID.vendor,
      deviceId: pci.deviceId,
      revision: pci.revision,
      classCode: pci.classCode,
      headerType: pci.function > 0 || pci.decoys ? 0x80 : 0,
      subsystemVendor: ID.vendor,
      subsystemId: pci.subsystemId,
      interruptPin: 1,
    };
    this.pciFunction = new PciFunction(pci, identity, pci.bars, false);
    this.pciFunction.put(PCI.command, 2, pci.command);
    this.placeCaps();
    this.placeRegions();
    this.pciFunction.watch = this.configWatch();
    virtio.reachesMemory = () => this.pciFunction.masters;
    virtio.interruptsAllowed = () => this.pciFunction.raisesIntx;
  }

  private placeCaps(): void {
    const { pciFunction, profile } = this;
    const { caps, notifyMultiplier } = profile.pci;
    pciFunction.put(PCI.status, 2, PCI_STATUS.capabilities);
    pciFunction.put(PCI.capabilities, 1, FIRST_CAP);
    let at = FIRST_CAP;
    for (const [n, spec] of caps.entries()) {
      const bytes = capLength(spec);
      const next = at + bytes + (-bytes & 3);
      pciFunction.put(at, 1, PCI.vendorCapability);
      pciFunction.put(at + 1, 1, n + 1 < caps.length ? next : 0);
      pciFunction.put(at + 2, 1, bytes);
      pciFunction.put(at + 3, 1, spec.type);
      pciFunction.put(at + 4, 1, spec.bar);
      pciFunction.put(at + 8, 4, spec.offset);
      pciFunction.put(at + 12, 4, spec.bytes);
      if (spec.type === CAP.notifyCfg) pciFunction.put(at + CAP_BYTES, 4, notifyMultiplier);
      if (spec.type === CAP.pciCfg) this.openWindow(at);
      this.placed.push({ at, bytes, spec });
      at = next;
    }
  }

  private openWindow(at: number): void {
    this.pciFunction.allow(at + 4, 1, 0xff);
    this.pciFunction.allow(at + 8, 4, 0xffff_ffff);
    this.pciFunction.allow(at + 12, 4, 0xffff_ffff);
    this.pciFunction.allow(at + CAP_BYTES, 4, 0xffff_ffff);
  }

  private placeRegions(): void {
    for (const spec of this.profile.pci.caps) {
      const region = this.regionFor(spec);
      if (region !== undefined) this.pciFunction.regions.push(region);
    }
  }

  private regionFor(spec: CapSpec): Region | undefined {
    const place = { bar: spec.bar, offset: spec.offset, bytes: spec.bytes };
    if (spec.reserved) return { ...place, ...this.forbidden() };
    switch (spec.type) {
      case CAP.commonCfg: {
        const { lowAddressesOnly } = this.profile;
        const common = new CommonConfig(this.context, this.virtio, lowAddressesOnly);
        return { ...place, ...this.structures.face("common", common.fields) };
      }
      case CAP.isrCfg:
        return { ...place, ...this.structures.face("isr", [this.isrField()]) };
      case CAP.deviceCfg:
        return { ...place, ...this.structures.face("device", configFields(this.virtio)) };
      case CAP.notifyCfg:
        return { ...place, ...this.notifications() };
      default:
        return undefined;
    }
  }

  private isrField(): Field {
    return {
      name: "isr",
      offset: 0,
      width: 1,
      read: () => this.virtio.readIsr(),
      write: (value) => this.context.judge.breach("P-READ-ONLY", `ISR is written with ${value}`),
    };
  }

  private notifications(): Face {
    return {
      read: (offset, width) => {
        this.context.trace.add("notify", "read", { offset, width });
        return ones(width);
      },
      write: (offset, width, value) => {
        this.structures.other();
        this.context.trace.add("notify", "write", { offset, width, value });
        this.notified(offset, width, value);
      },
    };
  }

  private notified(offset: number, width: number, value: number): void {
    const { judge } = this.context;
    const withData = this.virtio.has(FEATURE.notificationData);
    if (width !== (withData ? 4 : 2)) {
      judge.breach("P-NOTIFY-WIDTH", `a notification of ${width} bytes`);
      return;
    }
    const index = value % 0x1_0000;
    const queue = this.virtio.queues[index];
    const wanted = (queue?.options.notifyOff ?? 0) * this.profile.pci.notifyMultiplier;
    if (queue === undefined || offset !== wanted) {
      judge.breach("P-NOTIFY-VALUE", `value ${index} at offset ${offset}`);
      return;
    }
    this.virtio.notify(queue, withData ? Math.floor(value / 0x1_0000) : undefined);
  }

  private forbidden(): Face {
    const breach = (what: string) => {
      this.context.judge.breach("P-RESERVED-CAP", `a ${what} where a reserved capability points`);
    };
    return {
      read: (_offset, width) => {
        breach("read");
        return ones(width);
      },
      write: () => breach("write"),
    };
  }

  private configWatch(): ConfigWatch {
    return {
      read: (offset, width) => {
        if (offset === PCI.status || (offset === PCI.command && width === 4)) this.showInterrupt();
        const window = this.windowAt(offset);
        return window === undefined ? undefined : this.throughWindow(window, width, undefined);
      },
      write: (offset, width, value) => {
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
      },
    };
  }

  private showInterrupt(): void {
    const interrupt = this.virtio.interruptPending ? PCI_STATUS.interrupt : 0;
    this.pciFunction.put(PCI.status, 2, PCI_STATUS.capabilities | interrupt);
  }

  /** The configuration access capability whose data field stands at this offset. */
  private windowAt(offset: number): PlacedCap | undefined {
    if (!this.profile.pci.window) return undefined;
    return this.placed.find(
      ({ at, spec }) =>
        spec.type === CAP.pciCfg && offset >= at + CAP_BYTES && offset < at + CAP_BYTES + 4,
    );
  }

  private throughWindow(cap: PlacedCap, width: number, value: number | undefined): number {
    const { judge } = this.context;
    const { pciFunction } = this;
    const bar = pciFunction.get(cap.at + 4, 1);
    const offset = pciFunction.get(cap.at + 8, 4);
    const length = pciFunction.get(cap.at + 12, 4);
    const sized = length === 1 || length === 2 || length === 4;
    if (!sized || offset % length !== 0) {
      judge.breach("P-PCI-CFG-ALIGN", `offset ${offset}, length ${length}`);
      return ones(width);
    }
    const region = pciFunction.regions.find(
      (one) => one.bar === bar && offset >= one.offset && offset + length <= one.offset + one.bytes,
    );
    if (region === undefined) {
      judge.breach("P-PCI-CFG-RANGE", `BAR ${bar}, offset ${offset}, length ${length}`);
      return ones(width);
    }
    if (value === undefined) return region.read(offset - region.offset, length);
    region.write(offset - region.offset, length, value % 256 ** length);
    return 0;
  }
}
