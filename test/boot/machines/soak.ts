/**
 * A guest on QEMU to which things happen at random, one seed giving their kinds and sizes.
 *
 * What it owns is verified byte by byte, and no frame may be lost on the way. A reset ends one life
 * of the guest and begins the next; a migration goes on with the same life in another QEMU.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, type TestContext } from "vitest";
import { Random } from "../../../src/device/sim/random.ts";
import type { QemuBalloonOptions } from "../../../src/vmm/qemu/arguments.ts";
import { plugBalloon, unplugBalloon } from "../../../src/vmm/qemu/hotplug.ts";
import { migrate } from "../../../src/vmm/qemu/migration.ts";
import { type LaunchQemuOptions, launchQemu, type QemuVmm } from "../../../src/vmm/qemu/qemu.ts";
import {
  allocate,
  ask,
  BOOT_MS,
  type GuestStatus,
  guestImage,
  MIB,
  ready,
  statusOf,
} from "../../support/guests.ts";
import { qemu11OrSkip } from "../../support/tools.ts";

const memoryBytes = 128 * MIB;
const PAGES = memoryBytes / 4096;
const FRAMES_MAX = 4096;
const HANDLES_MAX = 24;
const PAUSE_MS_MAX = 50;
const QUEUES_MAX = 5;
/** A destination must have the balloon in the same slot. */
const SLOT = { addr: "5" };
/** More than the guest itself waits for a host. */
const SOON = { timeout: 2 * BOOT_MS, interval: 5 };

/** How often each kind happens in a round; each round has its own order. */
const WEIGHTS = {
  target: 6,
  reach: 6,
  allocate: 5,
  free: 4,
  verify: 3,
  policy: 2,
  deflateMode: 1,
  reserve: 1,
  statistics: 2,
  stopAndCont: 3,
  suspend: 1,
  rest: 2,
  replug: 1,
  migrate: 1,
  reset: 1,
} as const;
type Kind = keyof typeof WEIGHTS;
const ROUND = Object.entries(WEIGHTS).flatMap(([kind, weight]) =>
  Array<Kind>(weight).fill(kind as Kind),
);

export class Soak {
  readonly happened: Record<string, number> = {};
  /** Allocations for which the balloon had left no room. */
  refused = 0;
  verifiedBytes = 0;
  /** The most that the guest's engine had for itself, at rest. */
  engineBytesMax = 0;
  qemuBytesMax = 0;
  private readonly context: TestContext;
  private readonly random: Random;
  private vm: QemuVmm | undefined;
  private balloon: QemuBalloonOptions = { properties: SLOT };
  /** Frames of each handle of the workload. */
  private readonly owned = new Map<number, number>();
  private ledgerFrames = 0;
  private allocations = 0;
  /** By earlier lives: a reset ends the guest's own count. */
  private movedBefore = 0;

  private constructor(context: TestContext, seed: number) {
    this.context = context;
    this.random = new Random(seed);
  }

  static async start(context: TestContext, seed: number): Promise<Soak> {
    const soak = new Soak(context, seed);
    // One for all machines: the context would keep each of them to the end.
    context.onTestFinished(async () => {
      await soak.vm?.kill();
    });
    soak.vm = await soak.launch();
    await ready(soak.vm);
    await soak.born();
    return soak;
  }

  get events(): number {
    return Object.values(this.happened).reduce((sum, count) => sum + count, 0);
  }

  /** Pages that went into the balloon and out of it, in all lives. */
  async movedPages(): Promise<number> {
    const { totals } = await statusOf(this.guest);
    return this.movedBefore + totals.inflated + totals.deflated;
  }

  /** Each kind as often as its weight says; ends early when the time is over. */
  async round(isOver: () => boolean): Promise<void> {
    for (const kind of this.random.shuffle([...ROUND])) {
      if (isOver()) return;
      await this[kind]().catch((cause: unknown) => {
        throw new Error(`event ${this.events}, ${kind}: ${cause}`, { cause });
      });
      this.happened[kind] = (this.happened[kind] ?? 0) + 1;
    }
  }

  /** Comes to rest at a target: all agree on it, and nothing is lost. */
  async rest(): Promise<void> {
    const pages = await this.reach();
    const seen = async () => {
      const { state, targetPages, actualPages, frames, inFlight } = await statusOf(this.guest);
      const { held, hinted } = frames;
      return { state, targetPages, actualPages, held, hinted, ...inFlight };
    };
    const counts = { targetPages: pages, actualPages: pages, held: pages, hinted: 0 };
    const inFlight = { inflatePages: 0, deflatePages: 0 };
    const rest = expect.poll(seen, SOON).toEqual({ state: "running", ...counts, ...inFlight });
    await rest.catch(async (cause: unknown) => {
      throw new Error(`${cause}; ${await this.bothSides()}`, { cause });
    });
    await this.isWhole();
  }

  private get guest(): QemuVmm {
    if (this.vm === undefined) throw new Error("no machine yet");
    return this.vm;
  }

  private launch(more: Partial<LaunchQemuOptions> = {}): Promise<QemuVmm> {
    const image = guestImage(this.context, "x86_64").path;
    // The system's own may be one whose guests must stand still to move.
    const binary = qemu11OrSkip(this.context);
    const { balloon } = this;
    const options = { arch: "x86_64", machine: "pc", memoryBytes, balloon, image, binary } as const;
    return launchQemu({ ...options, timeoutMs: BOOT_MS, ...more });
  }

  /** What the driver says of itself, and QEMU of each queue. */
  private async bothSides(): Promise<string> {
    const status = await statusOf(this.guest);
    const queues = Array.from({ length: QUEUES_MAX }, (_, queue) =>
      this.guest.balloon.queueStatus({ queue }).catch(String),
    );
    return JSON.stringify({ status, queues: await Promise.all(queues) });
  }

  /** A new life: it owns nothing yet. */
  private async born(): Promise<void> {
    this.owned.clear();
    this.ledgerFrames = ledgerFrames(await statusOf(this.guest));
  }

  private async isWhole(): Promise<void> {
    const frames = [...this.owned.values()].reduce((sum, count) => sum + count, 0);
    const answer = await ask(this.guest, "workload.verify");
    expect(answer).toEqual({ bytes: frames * 4096, mismatches: 0 });
    this.verifiedBytes += frames * 4096;
    const status = await statusOf(this.guest);
    expect(status.workloadFrames).toBe(frames);
    expect(ledgerFrames(status)).toBe(this.ledgerFrames);
    // What else is used is the engine's, whose heap takes frames of the ledger when it grows.
    const others = status.frames.used - frames;
    expect(others).toBeGreaterThanOrEqual(0);
    expect(others).toBeLessThanOrEqual(status.footprint.engineFrames);
    const bad = this.guest.log.lines.filter((line) => /error|warn|panic/.test(line));
    expect(bad).toEqual([]);
    this.engineBytesMax = Math.max(this.engineBytesMax, status.footprint.engineBytes);
    this.qemuBytesMax = Math.max(this.qemuBytesMax, (await this.guest.residentBytes()) ?? 0);
  }

  /** Sets any target, and waits for nothing. */
  private async target(): Promise<void> {
    await this.guest.balloon.setTarget({ pages: this.random.below(PAGES) });
  }

  /** Sets a target that leaves the guest what it needs, and waits until QEMU sees it. */
  private async reach(): Promise<number> {
    const { frames, reservePages } = await statusOf(this.guest);
    const room = frames.free + frames.held + frames.inflating + frames.deflating - reservePages;
    const pages = this.random.below(Math.floor(room * 0.9));
    await this.guest.balloon.setTarget({ pages });
    await this.guest.balloon.waitForActual({ pages, timeoutMs: BOOT_MS });
    return pages;
  }

  private async allocate(): Promise<void> {
    if (this.owned.size >= HANDLES_MAX) await this.free();
    const frames = 1 + this.random.below(FRAMES_MAX);
    this.allocations += 1;
    try {
      this.owned.set(await allocate(this.guest, frames, this.allocations), frames);
    } catch (error) {
      // A target that is too high leaves no room; nothing may have been taken then.
      expect(String(error)).toContain("not enough free memory");
      this.refused += 1;
    }
  }

  private async free(): Promise<void> {
    const handle = [...this.owned.keys()][this.random.below(this.owned.size)];
    if (handle === undefined) return;
    const frames = this.owned.get(handle);
    expect(await ask(this.guest, "workload.free", { handle })).toEqual({ frames });
    this.owned.delete(handle);
  }

  private async verify(): Promise<void> {
    const handle = [...this.owned.keys()][this.random.below(this.owned.size)];
    if (handle === undefined) return;
    const bytes = (this.owned.get(handle) ?? 0) * 4096;
    const answer = await ask(this.guest, "workload.verify", { handle });
    expect(answer).toEqual({ bytes, mismatches: 0 });
    this.verifiedBytes += bytes;
  }

  private async policy(): Promise<void> {
    const pagesPerSecond = 20_000 + this.random.below(100_000);
    const all = [{ name: "follow" }, { name: "gentle", options: { pagesPerSecond } }];
    await ask(this.guest, "policy.set", all[this.random.below(all.length)]);
  }

  private async deflateMode(): Promise<void> {
    const modes = ["tell-first", "tell-if-must", "use-first"];
    await ask(this.guest, "deflate.set", { mode: modes[this.random.below(modes.length)] ?? "" });
  }

  private async reserve(): Promise<void> {
    await ask(this.guest, "reserve.set", { pages: this.random.below(1000) });
  }

  private async statistics(): Promise<void> {
    const { tags } = await this.guest.balloon.statistics({ timeoutMs: BOOT_MS });
    expect(Number(tags.freeMemory)).toBeLessThanOrEqual(memoryBytes);
  }

  private async stopAndCont(): Promise<void> {
    if (this.random.below(2) === 0) await this.target();
    await this.guest.pause();
    if (this.random.below(2) === 0) await this.target();
    await sleep(this.random.below(PAUSE_MS_MAX));
    await this.guest.resume();
  }

  private async suspend(): Promise<void> {
    await ask(this.guest, "suspend");
    await this.isIn("suspended");
    await this.allocate();
    await ask(this.guest, "resume");
    await this.isIn("running");
  }

  /** Amid whatever goes on, the balloon leaves the machine; another kind of it comes. */
  private async replug(): Promise<void> {
    await unplugBalloon({ vmm: this.guest, timeoutMs: BOOT_MS });
    await this.isIn("gone");
    await this.allocate();
    await this.isWhole();
    const coin = () => this.random.below(2) === 0;
    this.balloon = {
      deflateOnOom: coin(),
      freePageHint: coin(),
      freePageReporting: coin(),
      packed: coin(),
      properties: SLOT,
    };
    const from = this.guest.log.nextNumber;
    await plugBalloon({ vmm: this.guest, bus: "pci.0", balloon: this.balloon });
    await ready(this.guest, from);
  }

  /** Amid whatever goes on, running or stopped. */
  private async migrate(): Promise<void> {
    const source = this.guest;
    const isStopped = this.random.below(4) === 0;
    if (isStopped) await source.pause();
    this.vm = await this.launch({ incoming: true });
    try {
      await migrate({ source, destination: this.vm });
    } finally {
      await source.kill();
    }
    if (isStopped) await this.guest.resume();
    // It is the same guest: it does not come up again.
    expect(this.guest.log.lines).toEqual([]);
    await this.isWhole();
  }

  private async reset(): Promise<void> {
    this.movedBefore = await this.movedPages();
    const from = this.guest.log.nextNumber;
    await this.guest.reset({ timeoutMs: BOOT_MS });
    await ready(this.guest, from);
    await this.born();
  }

  private async isIn(state: GuestStatus["state"]): Promise<void> {
    await expect.poll(async () => (await statusOf(this.guest)).state, SOON).toBe(state);
  }
}

/** Frames of the ledger that are not the kernel's: as many in all of one life. */
function ledgerFrames({ frames }: GuestStatus): number {
  const { reserved: _, ...rest } = frames;
  return Object.values(rest).reduce((sum, count) => sum + count, 0);
}
