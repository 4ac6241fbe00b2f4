/** The core's split ring and batches against the model, with devices good and bad. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HELD, INFLATING } from "./model/ledger.ts";
import { FAULT_ID, FAULT_INDEX, FAULT_NOT_IN_FLIGHT } from "./model/ring.ts";
import { settingsFor } from "./settings.ts";
import { DEFLATEQ, INFLATEQ, type PageQueue, type Shape, Sides } from "./sides.ts";
import { Play, ringStep } from "./steps.ts";
import type { TinyDevice } from "./tiny-device.ts";

const settings = settingsFor("ring");

const shape: fc.Arbitrary<Shape> = fc.record({
  frames: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 300, max: 2600 })),
  queueSize: fc.integer({ min: 1, max: 8 }).map((bits) => 2 ** bits),
  alignment: fc.constantFrom(4, 64, 4096),
  buffers: fc.integer({ min: 1, max: 64 }),
  pfns: fc.oneof(fc.integer({ min: 1, max: 16 }), fc.integer({ min: 1, max: 512 })),
  eventIndex: fc.boolean(),
});

/** Some of it RAM with holes, so that runs are short, or all of it. */
function addRam(sides: Sides, holes: readonly number[]): void {
  sides.both("add", ({ core }) => {
    core.ledger_add(0, sides.shape.frames);
    return 0;
  });
  for (const hole of holes) {
    const pfn = hole % sides.shape.frames;
    sides.both("hole", ({ core }) => {
      if (core.ledger_uniform(pfn, 1, 2) !== 0) core.ledger_claim(pfn, 1);
      return 0;
    });
  }
}

const holes = fc.array(fc.nat(3000), { maxLength: 30 });
const steps = fc.array(ringStep, { minLength: 1, maxLength: 40 });

describe("ring and model", () => {
  it("agree after every step, whatever is completed and in which order", () => {
    fc.assert(
      fc.property(shape, holes, steps, (drawn, drawnHoles, sequence) => {
        const sides = new Sides(drawn);
        addRam(sides, drawnHoles);
        const run = new Play(sides);
        for (const step of sequence) {
          run.take(step);
          sides.compare();
        }
        sides.compareAtEnd();
      }),
      settings(4000),
    );
  });

  it("agree while all 16-bit indices wrap around", () => {
    const rounds = fc.record({
      eventIndex: fc.boolean(),
      queueSize: fc.constantFrom(2, 16, 64, 256),
      perRound: fc.integer({ min: 1, max: 64 }),
      near: fc.integer({ min: -70, max: 70 }),
      order: fc.array(fc.nat(63), { minLength: 64, maxLength: 64 }),
    });
    fc.assert(
      fc.property(rounds, ({ eventIndex, queueSize, perRound, near, order }) => {
        const sides = new Sides({ frames: 64, queueSize, buffers: 64, pfns: 1, eventIndex });
        addRam(sides, []);
        const run = new Play(sides);
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
        sides.compareAtEnd();
        expect(sides.core.devices[INFLATEQ].seen).toBeLessThan(0x8000);
      }),
      settings(12),
    );
  });
});

type Lie = "index" | "id" | "not-in-flight" | "twice";

/** Makes both devices lie; answers the fault to expect, or undefined where they cannot. */
function lie(sides: Sides, queue: PageQueue, kind: Lie, by: number): number | undefined {
  const { buffers, queueSize } = sides.shape;
  const ids = Math.min(buffers, queueSize);
  const inFlight = sides.core.core.queue_buffers_in_flight(queue);
  const { held, used } = sides.core.devices[queue];
  const tell = (act: (device: TinyDevice) => void) => {
    for (const { devices } of [sides.core, sides.model]) act(devices[queue]);
  };
  const putOne = (id: number) => {
    tell((device) => {
      device.putUsed(id);
      device.show();
    });
  };
  switch (kind) {
    case "index": {
      const taken = used - (inFlight - held.length);
      tell((device) => device.show(taken + inFlight + 1 + (by % (0xffff - inFlight))));
      return FAULT_INDEX;
    }
    case "id":
      if (held.length === 0) return undefined;
      putOne(ids + (by % (0x1_0000_0000 - ids)));
      return FAULT_ID;
    case "not-in-flight": {
      const inUse = sides.modelCore.idsInFlight(queue);
      const idle = Array.from({ length: ids }, (_, id) => id).filter((id) => !inUse.has(id));
      const id = idle[by % Math.max(1, idle.length)];
      if (held.length === 0 || id === undefined) return undefined;
      putOne(id);
      return FAULT_NOT_IN_FLIGHT;
    }
    case "twice":
      if (held.length < 2) return undefined;
      tell((device) => {
        device.putUsed(device.finish(by % device.held.length).id);
        device.show();
      });
      return FAULT_NOT_IN_FLIGHT;
  }
}

describe("a device that lies", () => {
  const kinds = fc.constantFrom<Lie>("index", "id", "not-in-flight", "twice");
  const queues = fc.constantFrom<PageQueue>(INFLATEQ, DEFLATEQ);
  const far = fc.oneof(fc.nat(300), fc.nat(0xffff_ffff));

  it("is found out by exactly the right fault, and what it returned truly still counts", () => {
    const seen = new Map<number, number>();
    fc.assert(
      fc.property(shape, steps, kinds, queues, far, (drawn, sequence, kind, queue, by) => {
        const sides = new Sides(drawn);
        addRam(sides, []);
        const run = new Play(sides);
        run.take({ kind: "inflate", want: 4 * drawn.pfns });
        run.take({ kind: "publish", queue: INFLATEQ });
        for (const step of sequence) run.take(step);
        for (const shown of [INFLATEQ, DEFLATEQ] as const) {
          run.take({ kind: "publish", queue: shown });
        }
        const fault = lie(sides, queue, kind, by);
        if (fault === undefined) return;
        expect(sides.both("settle", ({ core }) => core.balloon_settle(queue))).toBe(fault);
        sides.compare();
        // A liar is not forgiven: the same answer, and nothing moves any more.
        expect(sides.both("settle again", ({ core }) => core.balloon_settle(queue))).toBe(fault);
        sides.compareAtEnd();
        seen.set(fault, (seen.get(fault) ?? 0) + 1);
      }),
      settings(1500),
    );
    if (settings.isShort) return;
    expect([...seen.keys()].sort()).toEqual([FAULT_INDEX, FAULT_ID, FAULT_NOT_IN_FLIGHT].sort());
  });

  it("cannot make the core trap or lose a frame by writing whatever it may write", () => {
    const writes = fc.array(fc.tuple(fc.nat(6 + 8 * 256), fc.nat(255)), { maxLength: 30 });
    const round = fc.record({ queue: queues, inflate: fc.nat(600), deflate: fc.nat(600), writes });
    const rounds = fc.array(round, { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(shape, rounds, (drawn, drawnRounds) => {
        const { core, devices } = new Sides(drawn).core;
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

describe("around a barrier", () => {
  const drawn = { frames: 64, queueSize: 8, buffers: 4, pfns: 4, eventIndex: true };

  it("avail.idx is written after the first barrier and the wish is read after the second", () => {
    const seen: number[] = [];
    const hook: { act: () => void } = { act: () => {} };
    const sides = new Sides(drawn, { core: () => hook.act() });
    const { core, devices } = sides.core;
    core.ledger_add(0, 64);
    core.balloon_inflate(8);
    hook.act = () => {
      seen.push(devices[INFLATEQ].availIndex);
      // Named only now: no notification is wanted before the third buffer.
      if (seen.length === 2) devices[INFLATEQ].wish({ flags: 0, event: 2 });
    };
    expect(core.queue_publish(INFLATEQ)).toBe(0);
    expect(seen).toEqual([0, 2]);
    hook.act = () => {};
    core.balloon_inflate(4);
    expect(core.queue_publish(INFLATEQ)).toBe(1);
  });

  it("a buffer that comes back while the driver arms is not slept over", () => {
    const hook: { act: () => void } = { act: () => {} };
    const sides = new Sides(drawn, { core: () => hook.act() });
    const { core, devices } = sides.core;
    core.ledger_add(0, 64);
    core.balloon_inflate(4);
    core.queue_publish(INFLATEQ);
    devices[INFLATEQ].collect();
    const usedEvents: number[] = [];
    hook.act = () => {
      usedEvents.push(devices[INFLATEQ].usedEvent);
      devices[INFLATEQ].finish(0);
      devices[INFLATEQ].show();
    };
    expect(core.queue_arm(INFLATEQ, 3)).toBe(1);
    expect(usedEvents).toEqual([3]);
    hook.act = () => {};
    expect(core.balloon_settle(INFLATEQ)).toBe(4);
    expect(core.ledger_count(HELD)).toBe(4);
  });

  it("used entries are read after the index that shows them", () => {
    const hook: { act: () => void } = { act: () => {} };
    const sides = new Sides(drawn, { core: () => hook.act() });
    const { core, devices } = sides.core;
    core.ledger_add(0, 64);
    core.balloon_inflate(8);
    core.queue_publish(INFLATEQ);
    devices[INFLATEQ].collect();
    // The index is there first, as on a machine that reorders; the entry comes with the barrier.
    devices[INFLATEQ].show(1);
    hook.act = () => {
      devices[INFLATEQ].finish(1);
    };
    expect(core.balloon_settle(INFLATEQ)).toBe(4);
    expect(core.ledger_uniform(4, 4, HELD)).toBe(1);
    expect(core.ledger_uniform(0, 4, INFLATING)).toBe(1);
  });
});
