/** The host's side of a balloon on the page, whichever device it is. Pages have 4 KiB. */
import type { Device, StatisticName, V86Vmm } from "./shared.ts";

export interface HostSide {
  readonly targetPages: number;
  readonly actualPages: number;
  /** Since the machine was launched. */
  readonly signals: { readonly notifications: number; readonly interrupts: number };
  setTarget(pages: number): Promise<void>;
  statistics(): Promise<Readonly<Record<string, bigint>>>;
  /** Runs free page hinting once. Returns the bytes that were hinted. */
  hint(): Promise<number>;
  /** The reference device; absent where v86's own is in the machine. */
  readonly device?: Device;
  /** Ends what belongs to the device; the machine is killed by its owner. */
  close(): Promise<void>;
}

/** v86's own balloon. */
export class V86Side implements HostSide {
  targetPages = 0;
  actualPages = 0;
  private readonly vmm: V86Vmm;
  private readonly ticks: ReturnType<typeof setInterval>;

  constructor(vmm: V86Vmm, everyMs: number) {
    this.vmm = vmm;
    this.ticks = setInterval(() => void this.look(), everyMs);
  }

  get signals() {
    return this.vmm.counters;
  }

  async setTarget(pages: number): Promise<void> {
    await this.vmm.balloon.setTarget({ pages });
    await this.look();
  }

  async statistics(): Promise<Readonly<Record<string, bigint>>> {
    return (await this.vmm.balloon.statistics()).tags;
  }

  async hint(): Promise<number> {
    return (await this.vmm.balloon.hint()).hintedBytes;
  }

  async close(): Promise<void> {
    clearInterval(this.ticks);
  }

  private async look(): Promise<void> {
    try {
      const { actualPages, targetPages } = await this.vmm.balloon.query();
      this.actualPages = actualPages;
      this.targetPages = targetPages;
    } catch {
      clearInterval(this.ticks); // The machine has ended, and says so by itself.
    }
  }
}

/** Statistics by their tag (virtio 1.3, 5.5.6.4, and the tags that came later). */
export const STATISTICS: readonly StatisticName[] = [
  "swapIn",
  "swapOut",
  "majorFaults",
  "minorFaults",
  "freeMemory",
  "totalMemory",
  "availableMemory",
  "diskCaches",
  "hugetlbAllocations",
  "hugetlbFailures",
  "oomKills",
  "allocationStalls",
  "asyncScans",
  "directScans",
  "asyncReclaims",
  "directReclaims",
];
