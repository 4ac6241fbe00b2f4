/** The core's rings and batches against the model, with devices good and bad. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CoreAndModel, DEFLATEQ, INFLATEQ, type PageQueue, type Shape } from "./core-and-model.ts";
import { HELD, INFLATING } from "./model/ledger.ts";
import {
  EVENT_INDEX,
  FAULT_ID,
  FAULT_INDEX,
  FAULT_NOT_IN_FLIGHT,
  IN_ORDER,
  PACKED,
} from "./model/ring.ts";
import { settingsFor } from "./settings.ts";
import { Play, ringStep } from "./steps.ts";
import type { TinyDevice } from "./tiny-device.ts";

const settings = settingsFor("ring");

/** Every kind of ring; a packed one may have any size. */
const rings = fc
  .record({
    features: fc.nat(EVENT_INDEX | PACKED | IN_ORDER),
    bits: fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 8 })),
    less: fc.oneof(fc.constant(0), fc.nat(127)),
  })
  .map(({ features, bits, less }) => {
    const most = 2 ** bits;
    const queueSize = (features & PACKED) === 0 ? most : Math.max(1, most - (less % most));
    return { features, queueSize };
  });

const others = fc.record({
  frames: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 300, max: 2600 })),
  alignment: fc.constantFrom(4, 64, 4096),
  buffers: fc.integer({ min: 1, max: 64 }),
  pfns: fc.oneof(fc.integer({ min: 1, max: 16 }), fc.integer({ min: 1, max: 512 })),
});

const shape: fc.Arbitrary<Shape> = fc
  .tuple(rings, others)
  .map(([drawn, other]) => ({ ...drawn, ...other }));

/** Some of it RAM with holes, so that runs are short, or all of it. */
function addRam(pair: CoreAndModel, holes: readonly number[]): void {
  pair.both("add", ({ core }) => {
    core.ledger_add(0, pair.shape.frames);
    return 0;
  });
  for (const hole of holes) {
    const pfn = hole % pair.shape.frames;
    pair.both("hole", ({ core }) => {
      if (core.ledger_uniform(pfn, 1, 2) !== 0) core.ledger_claim(pfn, 1);
      return 0;
    });
  }
}

const holes = fc.array(fc.nat(3000), { maxLength: 30 });
const steps = fc.array(ringStep, { minLength: 1, maxLength: 60, size: "max" });

describe("ring and model", () => {
  it("agree after every step, whatever is completed and in which order", () => {
    fc.assert(
      fc.property(shape, holes, steps, (drawn, drawnHoles, sequence) => {
        const pair = new CoreAndModel(drawn);
        addRam(pair, drawnHoles);
        const run = new Play(pair);
        for (const step of sequence) {
          run.take(step);
          pair.compare();
        }
        pair.compareAtEnd();
      }),
      settings(4000),
    );
  });

  it("agree while all 16-bit indices wrap around", () => {
    const rounds = fc.record({
      features: fc.nat(EVENT_INDEX | PACKED | IN_ORDER),
      queueSize: fc.constantFrom(2, 16, 64, 256),
      perRound: fc.integer({ min: 1, max: 64 }),
      near: fc.integer({ min: -70, max: 70 }),
      order: fc.array(fc.nat(63), { minLength: 64, maxLength: 64 }),
    });
    fc.assert(
      fc.property(rounds, ({ features, queueSize, perRound, near, order }) => {
        const pair = new CoreAndModel({ frames: 64, queueSize, buffers: 64, pfns: 1, features });
        addRam(pair, []);
        const run = new Play(pair);
        const want = Math.min(perRound, queueSize);
        const queues = [INFLATEQ, DEFLATEQ] as const;
        // A last few rounds beyond 65536 buffers on either queue.
        for (let buffers = 0; buffers < 0x1_0000 + 5 * want; buffers += want) {
          for (const queue of queues) {
            run.take({ kind: "wish", queue, flags: buffers & 1, near: near + (buffers % 7) });
            if (queue === INFLATEQ) run.take({ kind: "inflate", want });
            else run.take({ kind: "deflate", want, how: "told" });
            run.take({ kind: "publish", queue });
            run.take({ kind: "complete", queue, order: order.slice(0, want) });
            run.take({ kind: "arm", queue, after: want });
            run.take({ kind: "settle", queue });
          }
        }
        pair.compareAtEnd();
        expect(pair.core.devices[INFLATEQ].seen).toBeGreaterThan(0x1_0000);
      }),
      settings(12),
    );
  });
});

type Lie = "index" | "id" | "not-in-flight" | "twice" | "short-batch";

/** Makes both devices lie; answers the fault to expect, or undefined where they cannot. */
function lie(pair: CoreAndModel, queue: PageQueue, kind: Lie, by: number): number | undefined {
  const { features } = pair.shape;
  const isPacked = (features & PACKED) !== 0;
  const inFlight = pair.core.core.queue_buffers_in_flight(queue);
  const { held, used } = pair.core.devices[queue];
  const taken = used - (inFlight - held.length);
  const tell = (act: (device: TinyDevice) => void) => {
    for (const { devices } of [pair.core, pair.model]) act(devices[queue]);
  };
  const putOne = (id: number) => {
    tell((device) => {
      device.putUsed(id);
      device.show();
    });
  };
  switch (kind) {
    case "index":
      // A packed ring has no index.
      if (isPacked) return undefined;
      tell((device) => device.show(taken + inFlight + 1 + (by % (0xffff - inFlight))));
      return FAULT_INDEX;
    case "id": {
      const { buffers, queueSize } = pair.shape;
      const ids = namesPlaces(pair) ? queueSize : Math.min(buffers, queueSize);
      if (held.length === 0) return undefined;
      putOne(ids + (by % (pair.core.devices[queue].fieldOfIds - ids)));
      return FAULT_ID;
    }
    case "not-in-flight": {
      const idle = idleIds(pair, queue, taken);
      const id = idle[by % Math.max(1, idle.length)];
      if (held.length === 0 || id === undefined) return undefined;
      putOne(id);
      return FAULT_NOT_IN_FLIGHT;
    }
    case "twice":
      if (held.length < 2) return undefined;
      tell((device) => {
        // Of all but the last, so that something is left to be returned after it.
        device.putUsed(device.finish(by % (device.held.length - 1)).id);
        device.show();
      });
      return FAULT_NOT_IN_FLIGHT;
    case "short-batch":
      // An entry for two buffers, and an index that shows one (virtio 1.3, 2.7.9).
      if (!namesPlaces(pair) || held.length < 2) return undefined;
      putOne(held[1]?.id ?? Number.NaN);
      return FAULT_INDEX;
  }
}

/** In a split ring with IN_ORDER, used entries name places in the table. */
function namesPlaces({ shape: { features } }: CoreAndModel): boolean {
  return (features & PACKED) === 0 && (features & IN_ORDER) !== 0;
}

/** What a used entry could name and must not. */
function idleIds(pair: CoreAndModel, queue: PageQueue, taken: number): number[] {
  const { buffers, queueSize } = pair.shape;
  const inFlight = pair.modelCore.idsInFlight(queue);
  if (namesPlaces(pair)) {
    const idle = Array.from({ length: queueSize - inFlight.length }, (_, n) => n);
    return idle.map((n) => (taken + inFlight.length + n) % queueSize);
  }
  const ids = Array.from({ length: Math.min(buffers, queueSize) }, (_, id) => id);
  return ids.filter((id) => !inFlight.includes(id));
}

describe("a device that lies", () => {
  const kinds = fc.constantFrom<Lie>("index", "id", "not-in-flight", "twice", "short-batch");
  const queues = fc.constantFrom<PageQueue>(INFLATEQ, DEFLATEQ);
  const far = fc.oneof(fc.nat(300), fc.nat(0xffff_ffff));

  it("is found out by exactly the right fault, and what it returned truly still counts", () => {
    const seen = new Map<number, number>();
    fc.assert(
      fc.property(shape, steps, kinds, queues, far, (drawn, sequence, kind, queue, by) => {
        const pair = new CoreAndModel(drawn);
        addRam(pair, []);
        const run = new Play(pair);
        run.take({ kind: "inflate", want: 4 * drawn.pfns });
        run.take({ kind: "publish", queue: INFLATEQ });
        for (const step of sequence) run.take(step);
        for (const shown of [INFLATEQ, DEFLATEQ] as const) {
          run.take({ kind: "publish", queue: shown });
        }
        const fault = lie(pair, queue, kind, by);
        if (fault === undefined) return;
        expect(pair.both("settle", ({ core }) => core.balloon_settle(queue))).toBe(fault);
        pair.compare();
        // A liar is not forgiven: the same answer, and nothing moves any more.
        expect(pair.both("settle again", ({ core }) => core.balloon_settle(queue))).toBe(fault);
        pair.compareAtEnd();
        seen.set(fault, (seen.get(fault) ?? 0) + 1);
      }),
      settings(1500),
    );
    if (settings.isShort) return;
    expect([...seen.keys()].sort()).toEqual([FAULT_INDEX, FAULT_ID, FAULT_NOT_IN_FLIGHT].sort());
  });

  it("cannot make the core trap or lose a frame by writing whatever it may write", () => {
    const writes = fc.array(fc.tuple(fc.nat(16 * 256), fc.nat(255)), {
      maxLength: 30,
      size: "max",
    });
    const round = fc.record({ queue: queues, inflate: fc.nat(600), deflate: fc.nat(600), writes });
    const rounds = fc.array(round, { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(shape, rounds, (drawn, drawnRounds) => {
        const { core, devices } = new CoreAndModel(drawn).core;
        core.ledger_add(0, drawn.frames);
        for (const { queue, inflate, deflate, writes: some } of drawnRounds) {
          core.balloon_inflate(inflate);
          core.balloon_deflate(deflate);
          core.queue_publish(queue);
          for (const [offset, value] of some) devices[queue].scribble(offset, value);
          core.queue_arm(queue, 0);
          const settled = core.balloon_settle(queue);
          if (settled < FAULT_NOT_IN_FLIGHT) throw new Error(`no such fault: ${settled}`);
          let sum = 0;
          for (let state = 0; state < 8; state++) sum += core.ledger_count(state);
          expect(sum).toBe(drawn.frames);
          expect(core.queue_pages_in_flight(INFLATEQ)).toBe(core.ledger_count(INFLATING));
        }
      }),
      settings(1000),
    );
  });
});

describe.each([
  ["split", EVENT_INDEX],
  ["packed", EVENT_INDEX | PACKED],
])("around a barrier of a %s ring", (_name, features) => {
  const drawn = { frames: 64, queueSize: 8, buffers: 4, pfns: 4, features };
  /** An index counts where the flags say so: those of a packed ring need a word for it. */
  const flags = (features & PACKED) !== 0 ? 2 : 0;

  it("buffers show after the first barrier and the wish is read after the second", () => {
    const seen: number[] = [];
    const hook: { act: () => void } = { act: () => {} };
    const pair = new CoreAndModel(drawn, () => hook.act());
    const { core, devices } = pair.core;
    core.ledger_add(0, 64);
    core.balloon_inflate(8);
    hook.act = () => {
      seen.push(devices[INFLATEQ].shown);
      // Named only now: no notification is wanted before the third buffer.
      if (seen.length === 2) devices[INFLATEQ].wish({ flags, event: 2 });
    };
    expect(core.queue_publish(INFLATEQ)).toBe(0);
    expect(seen).toEqual([0, 2]);
    hook.act = () => {};
    core.balloon_inflate(4);
    expect(core.queue_publish(INFLATEQ)).toBe(1);
  });

  it("a buffer that comes back while the driver arms is not slept over", () => {
    const hook: { act: () => void } = { act: () => {} };
    const pair = new CoreAndModel(drawn, () => hook.act());
    const { core, devices } = pair.core;
    core.ledger_add(0, 64);
    core.balloon_inflate(4);
    core.queue_publish(INFLATEQ);
    devices[INFLATEQ].collect();
    let armedAt = -1;
    hook.act = () => {
      hook.act = () => {};
      ({ armedAt } = devices[INFLATEQ]);
      devices[INFLATEQ].finish(0);
      devices[INFLATEQ].show();
    };
    expect(core.queue_arm(INFLATEQ, 3)).toBe(1);
    expect(armedAt).toBe(devices[INFLATEQ].eventOf(3));
    expect(core.balloon_settle(INFLATEQ)).toBe(4);
    expect(core.ledger_count(HELD)).toBe(4);
  });

  it("a used entry is read after that which shows it", () => {
    const hook: { act: () => void } = { act: () => {} };
    const pair = new CoreAndModel(drawn, () => hook.act());
    const { core, devices } = pair.core;
    core.ledger_add(0, 64);
    core.balloon_inflate(8);
    core.queue_publish(INFLATEQ);
    devices[INFLATEQ].collect();
    // It shows first, as on a machine that reorders; the entry comes with the barrier.
    devices[INFLATEQ].show(1);
    hook.act = () => {
      hook.act = () => {};
      devices[INFLATEQ].finish(1);
    };
    expect(core.balloon_settle(INFLATEQ)).toBe(4);
    expect(core.ledger_uniform(4, 4, HELD)).toBe(1);
    expect(core.ledger_uniform(0, 4, INFLATING)).toBe(1);
  });
});
