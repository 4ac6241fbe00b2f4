/** The core's ledger against the model, one random step at a time. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CoreAndModel, DEFLATEQ, INFLATEQ, type Shape } from "./core-and-model.ts";
import { FREE, HELD, NO_FRAME, RESERVED, USED } from "./model/ledger.ts";
import { settingsFor } from "./settings.ts";
import { ledgerStep, Play, type Step } from "./steps.ts";

const settings = settingsFor("ledger");

/** Frames that are no multiple of anything, and those at the edges of words and blocks. */
const frames = fc.oneof(
  fc.integer({ min: 1, max: 2600 }),
  fc.constantFrom(1, 15, 16, 17, 511, 512, 513, 1023, 1024, 1025, 2048),
);

const shape: fc.Arbitrary<Shape> = fc.record({
  frames,
  queueSize: fc.constantFrom(2, 8),
  buffers: fc.integer({ min: 1, max: 8 }),
  pfns: fc.constantFrom(1, 7, 256, 512),
  features: fc.constant(0),
});

/** A device that has given everything back before the next step. */
const EXCHANGE: readonly Step[] = ([INFLATEQ, DEFLATEQ] as const).flatMap((queue): Step[] => [
  { kind: "publish", queue },
  { kind: "complete", queue, order: new Array<number>(8).fill(0) },
  { kind: "settle", queue },
]);

function play(pair: CoreAndModel, steps: readonly Step[]): void {
  const run = new Play(pair);
  for (const step of steps) {
    run.take(step);
    if (step.kind === "inflate" || step.kind === "deflate") for (const s of EXCHANGE) run.take(s);
    pair.compare();
  }
  pair.compareAtEnd();
}

const addAll = (pair: CoreAndModel) =>
  pair.both("add", ({ core }) => {
    core.ledger_add(0, pair.shape.frames);
    return 0;
  });

describe("ledger and model", () => {
  it("agree after every step", () => {
    const steps = fc.array(ledgerStep, { minLength: 1, maxLength: 60, size: "max" });
    fc.assert(
      fc.property(shape, fc.boolean(), steps, (drawn, allIsRam, sequence) => {
        const pair = new CoreAndModel(drawn);
        if (allIsRam) addAll(pair);
        play(pair, sequence);
      }),
      settings(5000),
    );
  });

  it("agree with many blocks, so with two and three levels of summaries", () => {
    const many = fc.record({
      frames: fc.constantFrom(64 * 512, 64 * 512 + 1, 200 * 512 + 77, 4096 * 512, 4097 * 512 - 3),
      queueSize: fc.constant(8),
      buffers: fc.constant(8),
      pfns: fc.constantFrom(256, 512),
      features: fc.constant(0),
    });
    const island = fc.record({ at: fc.nat(0x3f_ffff), length: fc.integer({ min: 1, max: 2000 }) });
    const islands = fc.array(island, { minLength: 1, maxLength: 5 });
    const steps = fc.array(ledgerStep, { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(many, islands, steps, (drawn, ram, sequence) => {
        const pair = new CoreAndModel(drawn);
        for (const { at, length } of ram) {
          const first = at % drawn.frames;
          const run = { first, length: Math.min(length, drawn.frames - first) };
          if (!pair.modelCore.ledger.uniform(run, RESERVED)) continue;
          pair.both("island", ({ core }) => {
            core.ledger_add(run.first, run.length);
            return 0;
          });
        }
        play(pair, sequence);
      }),
      settings(60),
    );
  });
});

describe("a transition", () => {
  const LEGAL_FROM = { ledger_add: RESERVED, ledger_claim: FREE, ledger_release: USED } as const;
  const name = fc.constantFrom("ledger_add", "ledger_claim", "ledger_release");
  const anyFrame = fc.oneof(fc.nat(3000), fc.nat(0xffff_ffff), fc.constant(0xffff_ffff));

  it("traps exactly where ledger_uniform says that the frames are not all in its state", () => {
    const before = fc.array(ledgerStep, { maxLength: 8 });
    const seen = { trapped: 0, done: 0 };
    fc.assert(
      fc.property(
        shape,
        before,
        name,
        anyFrame,
        fc.oneof(fc.integer({ min: 1, max: 1200 }), anyFrame),
        (drawn, sequence, transition, first, some) => {
          const length = Math.max(1, some);
          const pair = new CoreAndModel(drawn);
          play(pair, sequence);
          const { core } = pair.core;
          const ask = ({ core: asked }: typeof pair.core) =>
            asked.ledger_uniform(first, length, LEGAL_FROM[transition]);
          const legal = pair.both("uniform", ask) !== 0;
          if (legal) {
            pair.both(transition, (side) => {
              side.core[transition](first, length);
              return 0;
            });
            pair.compareAtEnd();
            seen.done += 1;
          } else {
            expect(() => core[transition](first, length)).toThrow(WebAssembly.RuntimeError);
            expect(() => pair.model.core[transition](first, length)).toThrow();
            seen.trapped += 1;
          }
        },
      ),
      settings(1500),
    );
    if (!settings.isShort) expect(Math.min(seen.trapped, seen.done)).toBeGreaterThan(0);
  });

  it("of no frames changes nothing where they would begin in the ledger, and traps past it", () => {
    const pair = openPair({ frames: 10 });
    const { core } = pair.core;
    pair.both("add", (side) => {
      side.core.ledger_add(3, 0);
      return 0;
    });
    pair.compareAtEnd();
    expect(core.ledger_uniform(3, 0, RESERVED)).toBe(0);
    expect(() => core.ledger_add(10, 0)).toThrow(WebAssembly.RuntimeError);
  });
});

function openPair(some: Partial<Shape>): CoreAndModel {
  return new CoreAndModel({
    frames: 512,
    queueSize: 8,
    buffers: 4,
    pfns: 256,
    features: 0,
    ...some,
  });
}

describe("at the edges", () => {
  it.each([1, 2, 15, 16, 17, 511, 512, 513, 1000])("every frame of %i goes round", (frameCount) => {
    const pair = openPair({ frames: frameCount });
    addAll(pair);
    const want = { want: frameCount };
    play(pair, [
      { kind: "inflate", ...want },
      { kind: "inflate", ...want },
    ]);
    expect(pair.modelCore.ledger.counts[HELD]).toBe(frameCount);
    play(pair, [{ kind: "deflate", how: "told", ...want }]);
    expect(pair.modelCore.ledger.counts[FREE]).toBe(frameCount);
  });

  it.each([1, 63, 64, 65, 4095, 4096, 4097, 5000])(
    "the only free block of many is found, also when it is number %i",
    (block) => {
      const pair = openPair({ frames: (block + 1) * 512 });
      const first = block * 512 + 3;
      pair.both("add", ({ core }) => {
        core.ledger_add(first, 509);
        return 0;
      });
      expect(pair.both("allocate", ({ core }) => core.ledger_allocate(4) >>> 0)).toBe(first);
      play(pair, [
        { kind: "inflate", want: 600 },
        { kind: "deflate", how: "silent", want: 1 },
      ]);
      expect(pair.both("allocate", ({ core }) => core.ledger_allocate(4) >>> 0)).toBe(first + 4);
      expect(pair.both("allocate", ({ core }) => core.ledger_allocate(4) >>> 0)).toBe(NO_FRAME);
    },
  );

  it("whole blocks go first while one is wanted, then pieces, then a whole block is broken", () => {
    const pair = openPair({ frames: 4 * 512, pfns: 512 });
    pair.both("add", ({ core }) => {
      core.ledger_add(0, 100);
      core.ledger_add(512, 3 * 512);
      return 0;
    });
    const run = new Play(pair);
    const take = (want: number) => {
      run.take({ kind: "inflate", want });
      run.take({ kind: "publish", queue: INFLATEQ });
      const buffers = pair.core.devices[INFLATEQ].held.splice(0);
      return buffers.map(({ pfns }) => [pfns[0], pfns.at(-1), pfns.length]);
    };
    expect(take(512)).toEqual([[512, 1023, 512]]);
    // The piece at the bottom, then 200 of a block that is broken for it.
    expect(take(300)).toEqual([[0, 1223, 300]]);
    // The rest of the broken block before another one.
    expect(take(600)).toEqual([
      [1224, 1735, 512],
      [1736, 1823, 88],
    ]);
    pair.compareAtEnd();
  });
});
