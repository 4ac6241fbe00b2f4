/** Sequences that once failed, each with its neighbours: the same setup and steps, others around them. */
import fc from "fast-check";
import { describe, it } from "vitest";
import { type Command, honestCommands, lyingCommands } from "./driver/commands.ts";
import type { Setup } from "./driver/setups.ts";
import { World } from "./driver/world.ts";
import { settingsFor } from "./settings.ts";

const settings = settingsFor("known sequences");

/** The smallest rings over MMIO, with one page in a buffer. */
const tiny: Setup = {
  ...{ seed: 1, profile: "strict", persona: "ballonet", declinesMustTellHost: false },
  way: {
    ...{ transport: "mmio", prefer: "modern", interrupts: "best" },
    ...{ vectors: 0, messages: 32, refusedVectors: 0 },
  },
  ...{ deflateMode: "tell-first", silent: false, refusals: 0 },
  offer: {
    ...{ mustTellHost: false, statsVq: false, deflateOnOom: false },
    ...{ eventIdx: false, indirect: false },
  },
  ...{ ringSize: 2, queueSizeMax: 2, buffersInFlight: 2, pfnsPerBuffer: 1 },
  ...{ frames: 64, hole: { after: 1, frames: 0 }, reservePages: 0, pollMs: 100 },
  ...{ inflate: { kind: "immediate" }, deflate: { kind: "immediate" }, quietWhileBusy: true },
  ...{ usedLength: "zero", staleActual: 0, lastTarget: 0.5 },
};

function play(setup: Setup, commands: readonly Command[]): void {
  const world = new World(setup);
  for (const command of commands) world.perform(command);
  world.finish();
}

const around = (most: number, commands: fc.Arbitrary<Command[]>) =>
  commands.map((drawn) => drawn.slice(0, most));

describe("a sequence that once failed", () => {
  it("a lie about a buffer that waits to be taken: the device told none, and was believed", () => {
    const scattered = { kind: "scattered", ms: 32 } as const;
    const setup = fc
      .record({ seed: fc.integer({ min: 1, max: 0x7fff_ffff }), eventIdx: fc.boolean() })
      .map(({ seed, eventIdx }) => {
        return { ...tiny, seed, inflate: scattered, offer: { ...tiny.offer, eventIdx } };
      });
    // The guest looks after each millisecond or so, and posts again what has just come back.
    const steps = fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 20, maxLength: 40 });
    const sequence = fc
      .tuple(fc.nat(2), fc.integer({ min: 3, max: 6 }), steps, around(3, lyingCommands))
      .map(([after, pages, times, rest]): Command[] => [
        { do: "lie", lie: "used-id-not-in-flight", queue: 0, after },
        { do: "target", pages },
        ...times.flatMap((ms): Command[] => [{ do: "interrupt" }, { do: "time", ms }]),
        ...rest,
      ]);
    fc.assert(fc.property(setup, sequence, play), settings(15));
  });

  it("gentle under a target that is out of reach by one page: it goes on to the last one", () => {
    const late = { kind: "late", ms: 1_000_000 } as const;
    const offer = { ...tiny.offer, deflateOnOom: true };
    const setup: Setup = { ...tiny, offer, deflate: late, buffersInFlight: 1 };
    const sequence = fc
      .tuple(
        ...([fc.integer({ min: 1, max: 3 }), fc.integer({ min: 63, max: 67 })] as const),
        ...([fc.integer({ min: 200, max: 400 }), around(3, honestCommands)] as const),
      )
      .map(([frames, pages, pagesPerSecond, rest]): Command[] => [
        ...([{ do: "target", pages: 512 }, { do: "rest" }, { do: "grow", frames }] as const),
        ...([
          { do: "target", pages },
          { do: "gentle", pagesPerSecond },
        ] as const),
        ...([{ do: "rest" }] as const),
        ...rest,
      ]);
    fc.assert(fc.property(fc.constant(setup), sequence, play), settings(4));
  });
});
