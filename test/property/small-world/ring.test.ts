/** All states of one small ring, split and packed, also where its indexes wrap. */
import { describe, expect, it } from "vitest";
import { mutants } from "../../conformance/mutants/all.ts";
import { addFigures } from "../../support/add-figures.ts";
import { EVENT_INDEX, IN_ORDER, PACKED } from "../model/ring.ts";
import { settingsFor } from "../settings.ts";
import { patchedDriver, theDriver } from "./builds.ts";
import { RingWorld } from "./ring-world.ts";
import { explore, type Figures, formatFigures, type Limits } from "./search.ts";

const isLong = (settingsFor("small ring").runs ?? 0) >= 1000;
const limits: Limits = { depth: 1000, milliseconds: isLong ? 600_000 : 60_000 };
const LAP = 0x1_0000;
const kinds = Array.from({ length: 8 }, (_, features) => features);
const sizesOf = (features: number) => ((features & PACKED) === 0 ? [1, 2, 4] : [1, 2, 3, 4]);

/** How many buffers a search posts: in a long run as many as fill a ring, and some more. */
const postsOf = (size: number) => (isLong ? Math.min(size + 2, 5) : Math.min(5 - size, 3));
/** A split ring's indexes wrap amid the search; a packed ring's, at its end, wrap anyway. */
const beforeOf = (features: number, size: number) =>
  (features & PACKED) === 0 ? [0, ...(isLong || size === 2 ? [LAP - 1] : [])] : [0, 2 * size - 1];

function search(module: WebAssembly.Module, features: number): readonly Figures[] {
  return sizesOf(features).flatMap((size) => {
    return beforeOf(features, size).map((before) => {
      const setup = { size, features, before, posts: postsOf(size) };
      return explore(new RingWorld(module, setup), limits);
    });
  });
}

function nameOf(features: number): string {
  const names = [
    (features & PACKED) === 0 ? "split" : "packed",
    ...((features & EVENT_INDEX) === 0 ? [] : ["EVENT_IDX"]),
    ...((features & IN_ORDER) === 0 ? [] : ["IN_ORDER"]),
  ];
  return names.join(", ");
}

describe("a small ring", () => {
  it.each(kinds.map((features) => ({ features, name: nameOf(features) })))(
    "$name, sizes 1 to 4: every order of events is right",
    ({ features, name }) => {
      const all = search(theDriver().core, features);
      const sum = (of: (one: Figures) => number) => all.reduce((total, one) => total + of(one), 0);
      const figures = {
        ...{ states: sum(({ states }) => states), transitions: sum((one) => one.transitions) },
        ...{ depth: Math.max(...all.map(({ depth }) => depth)), isWhole: true },
        milliseconds: sum(({ milliseconds }) => milliseconds),
      };
      console.log(`${name}: ${formatFigures(figures)}, depth ${figures.depth}`);
      addFigures({ states: figures.states, transitions: figures.transitions });
      expect(all.map(({ wrong }) => wrong)).toEqual(all.map(() => undefined));
      expect(all.every(({ isWhole }) => isWhole)).toBe(true);
    },
  );
});

/** From an empty ring on: a mistake may not let a ring get to where its indexes wrap. */
function firstWrong(module: WebAssembly.Module): Figures | undefined {
  for (const features of kinds) {
    for (const size of sizesOf(features)) {
      const world = new RingWorld(module, {
        size,
        features,
        before: 0,
        posts: Math.min(size + 1, 3),
      });
      const figures = explore(world, limits);
      if (figures.wrong !== undefined) return figures;
    }
  }
  return undefined;
}

const caught = [
  "never notifies",
  "is off by one when it compares with avail_event",
  "lets the available index jump",
  "uses one descriptor for all buffers",
  "never turns its wrap counter",
  "compares a packed ring's event with the wrong lap",
  "takes one buffer of each batch that came back in order",
];

describe.runIf(isLong)("mistakes in the ring", () => {
  it.each(caught)("a driver that %s", async (id) => {
    const mutant = mutants.find((one) => one.id === id);
    if (mutant === undefined) throw new Error(`no mutant "${id}"`);
    const { core } = await patchedDriver([mutant, ...(mutant.and ?? [])]);
    const found = firstWrong(core);
    console.log(`ring: ${id}: ${found ? formatFigures(found) : "not found"}`);
    expect(found?.wrong).toBeDefined();
  });
});
