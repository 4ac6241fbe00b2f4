/**
 * One life of a device, from its reset on: the steps of virtio 1.3, 3.1.1, each by itself. A check
 * may leave one out, or do it at a wrong time.
 */
import { BALLOON_FEATURE } from "../balloon/constants.ts";
import { FEATURE, STATUS } from "../virtio/constants.ts";
import {
  type FeatureSet,
  featureSet,
  featureWord,
  fromFeatureWords,
  hasFeature,
} from "../virtio/features.ts";
import { type Bench, Broken, expect, need, PAGE_BYTES } from "./bench.ts";
import { PackedRing, type Part, type Posting, type Ring, SplitRing, type Used } from "./ring.ts";

/** Entries of a queue, where the device has as many. */
const QUEUE_ENTRIES = 8;

/** What the check asks for, beside VERSION_1. */
export interface StartOptions {
  /** Features to accept, where they are offered. */
  readonly wants?: readonly number[];
  /** Features without which the check is left out. */
  readonly needs?: readonly number[];
}

/** See the file's header. */
export class Life {
  readonly bench: Bench;
  accepted: FeatureSet = 0n;

  constructor(bench: Bench) {
    this.bench = bench;
    bench.begin();
    this.reset();
  }

  /** A device that is up with its inflate queue: what most checks begin with. */
  static start(bench: Bench, options: StartOptions = {}): { life: Life; ring: Ring } {
    const life = new Life(bench);
    life.negotiate(options);
    const ring = life.queue(0);
    life.driverOk();
    return { life, ring };
  }

  /** The same with a split ring. */
  static split(bench: Bench, options: StartOptions = {}): { life: Life; ring: SplitRing } {
    const life = new Life(bench);
    life.negotiate(options);
    const ring = life.splitQueue(0);
    life.driverOk();
    return { life, ring };
  }

  /** Resets the device and waits for it. */
  reset(): void {
    const { device } = this.bench;
    device.pci?.msix?.disable();
    device.write("deviceStatus", 0);
    const isReset = this.bench.until(() => this.status === 0);
    expect(isReset, `device_status is ${this.status} after a reset`);
    this.accepted = 0n;
    device.takeEvents();
  }

  get status(): number {
    return this.bench.device.read("deviceStatus") & 0xff;
  }

  addStatus(bits: number): void {
    this.bench.device.write("deviceStatus", this.status | bits);
  }

  offered(): FeatureSet {
    return fromFeatureWords([0, 1].map((word) => this.offeredWord(word)));
  }

  offeredWord(word: number): number {
    const { device } = this.bench;
    device.write("deviceFeatureSelect", word);
    return device.read("deviceFeature");
  }

  writeFeatures(features: FeatureSet): void {
    const { device } = this.bench;
    for (const word of [0, 1]) {
      device.write("driverFeatureSelect", word);
      device.write("driverFeature", featureWord(features, word));
    }
  }

  /** Accepts exactly these. Returns whether the device kept FEATURES_OK. */
  accept(features: FeatureSet): boolean {
    this.addStatus(STATUS.ACKNOWLEDGE);
    this.addStatus(STATUS.DRIVER);
    this.writeFeatures(features);
    this.addStatus(STATUS.FEATURES_OK);
    this.accepted = features;
    return (this.status & STATUS.FEATURES_OK) !== 0;
  }

  /** @throws LeftOut for a feature that is not offered, Broken when the device refuses. */
  negotiate({ wants = [], needs = [] }: StartOptions = {}): void {
    const offered = this.offered();
    const missing = needs.filter((bit) => !hasFeature(offered, bit));
    need(missing.length === 0, `feature ${missing.join(", ")} is not offered`);
    const set = featureSet(FEATURE.VERSION_1, ...wants, ...needs) & offered;
    expect(this.accept(set), `FEATURES_OK is refused for features ${set.toString(16)}`);
  }

  driverOk(): void {
    this.addStatus(STATUS.DRIVER_OK);
  }

  has(feature: number): boolean {
    return hasFeature(this.accepted, feature);
  }

  /** Chooses a queue. Returns its largest size. */
  select(index: number): number {
    const { device } = this.bench;
    device.write("queueSelect", index);
    return device.queueMaxSize();
  }

  /** Sets a queue up. @throws LeftOut where there is none. */
  queue(index: number, entries = QUEUE_ENTRIES): Ring {
    const size = Math.min(entries, this.select(index));
    need(size > 0, `queue ${index}`);
    const packed = this.has(FEATURE.RING_PACKED);
    const ring = packed
      ? new PackedRing(this.bench, index, size)
      : new SplitRing(this.bench, index, size);
    this.place(ring);
    return ring;
  }

  /** The same for a check that is about split rings. */
  splitQueue(index: number, entries = QUEUE_ENTRIES): SplitRing {
    const ring = this.queue(index, entries);
    if (!(ring instanceof SplitRing)) throw new Error("a check of split rings accepts packed ones");
    return ring;
  }

  /** Tells the device where a ring is, and enables it. */
  place(ring: Ring): void {
    const { device } = this.bench;
    const [descriptor, driver, deviceArea] = ring.areas;
    device.write("queueSelect", ring.index);
    device.write("queueSize", ring.size);
    const halves = (address: number) => [address % 2 ** 32, Math.floor(address / 2 ** 32)] as const;
    const [descLow, descHigh] = halves(descriptor);
    const [driverLow, driverHigh] = halves(driver);
    const [deviceLow, deviceHigh] = halves(deviceArea);
    device.write("queueDescLow", descLow);
    device.write("queueDescHigh", descHigh);
    device.write("queueDriverLow", driverLow);
    device.write("queueDriverHigh", driverHigh);
    device.write("queueDeviceLow", deviceLow);
    device.write("queueDeviceHigh", deviceHigh);
    device.write("queueEnable", 1);
  }

  notify(ring: Ring): void {
    const { device } = this.bench;
    const hasData = this.has(FEATURE.NOTIFICATION_DATA);
    device.notify(ring.index, hasData ? ring.nextPlace : undefined);
  }

  /** Posts a buffer and waits until it is used. @throws Broken when it never is, or another one. */
  serve(ring: Ring, parts: readonly Part[], how: Posting = {}): Used {
    const id = ring.post(parts, how);
    this.notify(ring);
    const used = this.awaitUsed(ring);
    expect(used.id === id, `buffer ${id} was given, ${used.id} came back`);
    return used;
  }

  awaitUsed(ring: Ring): Used {
    let used: Used | undefined;
    this.bench.until(() => {
      used = ring.takeUsed();
      return used !== undefined;
    });
    if (used !== undefined) return used;
    throw new Broken(`a buffer of queue ${ring.index} is never used`);
  }

  /** A buffer with the numbers of these pages. */
  pfns(pages: readonly number[]): Part {
    const address = this.bench.take(4 * pages.length);
    pages.forEach((pfn, n) => {
      this.bench.memory.write(address + 4 * n, 4, pfn);
    });
    return { address, length: 4 * pages.length };
  }

  /** A buffer with the number of one fresh page. */
  onePage(): Part {
    return this.pfns([this.bench.page(0)]);
  }

  /** Takes whole pages one after another, with this word in them. Returns them as one part. */
  range(pages: number, word: number): Part {
    const first = this.bench.page(word);
    for (let n = 1; n < pages; n++) this.bench.page(word);
    return { address: first * PAGE_BYTES, length: pages * PAGE_BYTES, writable: true };
  }

  /**
   * The index of a queue that a feature owns, by the specification's numbers where they fit, else
   * by counting what is offered, as most devices do.
   */
  queueOf(feature: number): number {
    const owners = [
      BALLOON_FEATURE.STATS_VQ,
      BALLOON_FEATURE.FREE_PAGE_HINT,
      BALLOON_FEATURE.PAGE_REPORTING,
    ];
    const offered = this.offered();
    const fixed = 2 + owners.indexOf(feature as (typeof owners)[number]);
    const before = owners.filter((bit) => bit < feature && hasFeature(offered, bit)).length;
    const counted = 2 + before;
    if (fixed === counted) return fixed;
    const all = 2 + owners.filter((bit) => hasFeature(offered, bit)).length;
    return this.select(all) === 0 ? counted : fixed;
  }
}
