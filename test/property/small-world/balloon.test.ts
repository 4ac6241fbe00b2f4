/**
 * All states of a small balloon: none is wrong, and from each the world comes to rest.
 *
 * The search ends at a stated depth; with 1000 BALLONET_RUNS and more it goes on for 60 ms a run.
 * Mutants need a build each, so they are tried in long runs alone, but for a few of the driver's.
 */
import { describe, expect, it } from "vitest";
import { mutants } from "../../conformance/mutants/all.ts";
import { addFigures } from "../../support/add-figures.ts";
import { settingsFor } from "../settings.ts";
import { BalloonWorld, type SmallSetup } from "./balloon-world.ts";
import { patchedDriver, theDriver } from "./builds.ts";
import { explore, formatFigures, type Limits } from "./search.ts";

const { runs = 0 } = settingsFor("small world");
/** A long run: nothing less has the time for every mutant. */
const isLong = runs >= 1000;

const plain: SmallSetup = {
  frames: 6,
  pfnsPerBuffer: 1,
  ringSize: 2,
  deflateMode: "tell-first",
  offer: {
    ...{ mustTellHost: true, statsVq: true, deflateOnOom: true },
    ...{ eventIdx: true, packed: false, inOrder: false },
  },
  targets: [0, 3, 9],
};

const useFirst: SmallSetup = {
  ...plain,
  deflateMode: "use-first",
  offer: { ...plain.offer, mustTellHost: false, eventIdx: false, statsVq: false },
};

const setups: Readonly<Record<string, SmallSetup>> = {
  "tell first, EVENT_IDX, statistics": plain,
  "use first, without EVENT_IDX": useFirst,
  "two pages a buffer": { ...useFirst, pfnsPerBuffer: 2 },
  "buffers in order": { ...plain, offer: { ...plain.offer, inOrder: true, statsVq: false } },
  "packed rings": { ...plain, offer: { ...plain.offer, packed: true, statsVq: false } },
};

const MS_A_RUN = 60;
const SHORT_DEPTH = 4;
const limits: Limits = isLong
  ? { depth: 1000, milliseconds: runs * MS_A_RUN }
  : { depth: SHORT_DEPTH, milliseconds: 60_000 };

describe("a small balloon", () => {
  it.each(Object.entries(setups))("%s: no state is wrong, each comes to rest", (name, setup) => {
    const figures = explore(new BalloonWorld(theDriver(), setup), limits);
    console.log(`${name}: ${formatFigures(figures)}`);
    addFigures({ states: figures.states, transitions: figures.transitions });
    expect(figures.wrong).toBeUndefined();
    expect(figures.depth).toBeGreaterThanOrEqual(SHORT_DEPTH);
  });
});

const caught: Readonly<Record<string, readonly string[]>> = {
  ledger: [
    "counts pages as held when they are posted",
    "takes an acknowledged page for a free one",
    "frees pages as soon as the host is told",
    "loses the pages of every deflate",
    "does not note which pages it gave to the guest",
  ],
  driver: [
    "never updates actual",
    "counts pages in actual before they were acknowledged",
    "overlooks DEVICE_NEEDS_RESET",
    "stops without taking its pages back",
    "offers pages again whose deflate is on its way",
  ],
  ring: [
    "never notifies",
    "is off by one when it compares with avail_event",
    "lets the available index jump",
    "clears a descriptor in flight",
    "uses one descriptor for all buffers",
    "writes used_event where avail_event is",
  ],
};

/** Mutants that every run tries. */
const QUICK = 2;
/** A mutant is looked for so far and no further. */
const MUTANT_LIMITS: Limits = { depth: 12, milliseconds: 240_000 };

const tried = Object.entries(caught).map(([part, ids]) => {
  const quick = part === "driver" ? ids.slice(0, QUICK) : [];
  return { part, ids: isLong ? ids : quick };
});

describe.each(tried.filter(({ ids }) => ids.length > 0))(
  "mistakes in the $part",
  ({ part, ids }) => {
    it.each(ids)("a driver that %s", async (id) => {
      const mutant = mutants.find((one) => one.id === id);
      if (mutant === undefined) throw new Error(`no mutant "${id}"`);
      const build = await patchedDriver([mutant, ...(mutant.and ?? [])]);
      const found = [plain, useFirst].map((setup) => {
        return explore(new BalloonWorld(build, setup), MUTANT_LIMITS);
      });
      const first = found.find(({ wrong }) => wrong !== undefined);
      console.log(`${part}: ${id}: ${first ? formatFigures(first) : "not found"}`);
      expect(first?.wrong).toBeDefined();
    });
  },
);
