/**
 * One ring of the core and a tiny device: every order of post, publish, look, return, take and arm,
 * for as many buffers as the window has room for, from any position of the indexes on.
 *
 * Buffers have one page each. What is taken becomes free again at once, so pages never run out. The
 * world counts by itself what was posted, shown, returned and taken; core and device have to agree.
 */
import type { CoreExports } from "../../../runtime/index.ts";
import { equal } from "../driver/agreement.ts";
import { EVENT_INDEX, IN_ORDER, PACKED } from "../model/ring.ts";
import { type TinyDevice, TinyPackedDevice, TinySplitDevice } from "../tiny-device.ts";
import { GLOBAL_NAME } from "./open-globals.ts";
import type { World } from "./search.ts";
import { Snapshots } from "./snapshots.ts";

export interface RingSetup {
  readonly size: number;
  /** EVENT_INDEX and so on, a bit each. */
  readonly features: number;
  /** Buffers that have come and gone before the search begins, and that it may post. */
  readonly before: number;
  readonly posts: number;
}

const QUEUE = 0;
const ARENA_PTR = 0x2000;
const WASM_PAGES = 2;
/** What a device says about notifications: the index that it waits for, from its own place on. */
const WISHES = [-1, 0, 1] as const;

/** What the world counts; a snapshot finds it here. */
interface Counts {
  posted: number;
  published: number;
  /** Used entries that the driver can see, and buffers that it has taken. */
  shown: number;
  taken: number;
  /** Ids that are free, the next one last. */
  free: number[];
  /** Ids in the order in which they were posted and not taken. */
  order: number[];
  /** Ids by which the device has returned buffers that were not taken. */
  back: number[];
}

export class RingWorld implements World {
  readonly snapshots: Snapshots;
  private readonly setup: RingSetup;
  private readonly core: CoreExports;
  private readonly device: TinyDevice;
  private readonly counts: Counts;

  constructor(module: WebAssembly.Module, setup: RingSetup) {
    const { size, features, before } = setup;
    const memory = new WebAssembly.Memory({ initial: WASM_PAGES });
    const imports = { env: { memory }, hal: { fence: () => {}, fill: () => {} } };
    const { exports } = new WebAssembly.Instance(module, imports);
    this.setup = setup;
    this.core = exports as unknown as CoreExports;
    const { core } = this;
    core.arena_open(ARENA_PTR, 2 * size, size, size, 1);
    core.ledger_add(0, 2 * size);
    core.queue_open(QUEUE, size, features, 4);
    const Device = (features & PACKED) !== 0 ? TinyPackedDevice : TinySplitDevice;
    this.device = new Device({
      ...{ view: new DataView(memory.buffer), core, queue: QUEUE, size, pfns: 1 },
      ...{ eventIndex: this.has(EVENT_INDEX), inOrder: this.has(IN_ORDER) },
    });
    const free = Array.from({ length: size }, (_, id) => size - 1 - id);
    this.counts = { posted: 0, published: 0, shown: 0, taken: 0, free, order: [], back: [] };
    for (let n = 0; n < before; n++) {
      for (const action of ["post", "publish", "look", "return 0", "take"]) this.act(action);
    }
    const globals = Object.entries(exports).filter(([name]) => name.startsWith(GLOBAL_NAME));
    this.snapshots = new Snapshots({
      roots: [this.device, this.counts],
      constant: [exports],
      memory,
      globals: globals.map(([, global]) => global as WebAssembly.Global),
    });
  }

  private has(feature: number): boolean {
    return (this.setup.features & feature) !== 0;
  }

  actions(): readonly string[] {
    const { counts, device, setup } = this;
    const actions = ["take", "look", "arm 0"];
    if (counts.order.length > 1) actions.push(`arm ${counts.order.length - 1}`);
    if (counts.free.length > 0 && counts.posted < setup.before + setup.posts) actions.push("post");
    if (counts.posted > counts.published) actions.push("publish");
    device.held.forEach((_, n) => {
      actions.push(`return ${n}`);
    });
    if (this.has(EVENT_INDEX)) for (const near of WISHES) actions.push(`wish ${near}`);
    else actions.push("quiet", "loud");
    return actions;
  }

  act(action: string): void {
    const [name, number = "0"] = action.split(" ");
    switch (name) {
      case "post":
        this.post();
        break;
      case "publish":
        this.publish();
        break;
      case "look":
        this.look();
        break;
      case "return":
        this.giveBack(Number(number));
        break;
      case "take":
        this.take();
        break;
      case "arm":
        this.arm(Number(number));
        break;
      case "wish":
        this.device.wish({
          flags: this.has(PACKED) ? 2 : 0,
          event: this.device.seen + Number(number),
        });
        break;
      case "quiet":
      case "loud":
        this.device.wish({ flags: name === "quiet" ? 1 : 0, event: 0 });
        break;
      default:
        throw new Error(`no action "${action}"`);
    }
  }

  private post(): void {
    const { counts } = this;
    equal("pages posted", this.core.balloon_inflate(1), 1);
    counts.posted += 1;
    counts.order.push(counts.free.pop() ?? Number.NaN);
  }

  private publish(): void {
    const { counts, device } = this;
    const wanted = device.wants(counts.published, counts.posted);
    equal("notification", this.core.queue_publish(QUEUE) !== 0, wanted);
    counts.published = counts.posted;
    equal("buffers that the device can see", device.shown, counts.published);
  }

  private giveBack(n: number): void {
    const { counts, device } = this;
    const before = device.held.map(({ id }) => id);
    device.finish(n);
    device.show();
    const after = new Set(device.held.map(({ id }) => id));
    counts.back.push(...before.filter((id) => !after.has(id)));
    counts.shown = counts.taken + counts.back.length;
  }

  private take(): void {
    const { counts, core } = this;
    const { back, order } = counts;
    equal("pages taken", core.balloon_settle(QUEUE), back.length);
    core.balloon_deflate_silently(back.length);
    for (const id of back) {
      // With IN_ORDER what was posted first came back first, and heads may be places.
      const [gone = id] = order.splice(this.has(IN_ORDER) ? 0 : order.indexOf(id), 1);
      counts.free.push(gone);
    }
    counts.back = [];
    counts.taken = counts.shown;
  }

  /** The ids are those that the core takes from its list, the last one that came back first. */
  private look(): void {
    const { counts, device } = this;
    const { length } = counts.order;
    const unseen = counts.published - device.seen;
    const unposted = counts.posted - counts.published;
    const expected = counts.order.slice(length - unseen - unposted, length - unposted);
    const seen = device.collect().map(({ id }) => id);
    equal("buffers that are new", seen.length, expected.length);
    if (this.has(IN_ORDER) && !this.has(PACKED)) return;
    equal("their ids", seen.join(), expected.join());
  }

  private arm(after: number): void {
    const { counts, core, device } = this;
    equal("something is back", core.queue_arm(QUEUE, after) !== 0, counts.shown > counts.taken);
    if (!this.has(EVENT_INDEX)) return;
    equal("event that is waited for", device.armedAt, device.eventOf(counts.taken + after));
  }

  judge(): void {
    const { core, counts, device, setup } = this;
    const inFlight = counts.posted - counts.taken;
    equal("buffers in flight", core.queue_buffers_in_flight(QUEUE), inFlight);
    equal("pages in flight", core.queue_pages_in_flight(QUEUE), inFlight);
    equal("free ids", counts.free.length, setup.size - inFlight);
    equal("buffers with the device", device.held.length, device.seen - counts.shown);
    const wrap = this.has(PACKED) ? device.eventOf(counts.posted) : counts.posted & 0xffff;
    equal("the next place", core.queue_next_place(QUEUE), wrap);
  }

  judgeLiveness(): void {
    if (this.counts.posted > this.counts.published) this.publish();
    this.look();
    while (this.device.held.length > 0) this.giveBack(0);
    this.take();
    equal("buffers in flight at rest", this.core.queue_buffers_in_flight(QUEUE), 0);
  }

  signature(): string {
    const { counts, device, core } = this;
    const { posted, published, shown, taken, order, free, back } = counts;
    const held = device.held.map(({ id }) => id);
    return JSON.stringify([
      ...[posted, published, device.seen, shown, taken, held, order, free, back],
      ...[device.armedAt, device.wants(published, posted), device.wants(posted, posted + 1)],
      ...[core.queue_next_place(QUEUE)],
    ]);
  }
}
