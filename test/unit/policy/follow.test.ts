/** `follow` as a pure function: reach, reserve, back-off and hold-off. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { follow } from "../../../runtime/policy/follow.ts";
import type { PolicyView } from "../../../runtime/policy/policy.ts";
import { RESERVE_PAGES, TOTAL_PAGES, viewOf } from "./view.ts";

const RETRY_MS = 100;
const RETRY_MOST_MS = 5000;
const HOLD_OFF_MS = 2000;
const policy = follow({
  retryMs: RETRY_MS,
  retryMostMs: RETRY_MOST_MS,
  holdOffMs: HOLD_OFF_MS,
});

describe("a target within reach", () => {
  it.each([
    { targetPages: 1000, heldPages: 0 },
    { targetPages: 1000, heldPages: 400, inflatingPages: 600 },
    { targetPages: 1000, heldPages: 5000 },
    { targetPages: 0, heldPages: 5000, freePages: 0 },
    { targetPages: TOTAL_PAGES - RESERVE_PAGES, heldPages: 0 },
  ])("is chased at once and in full: %o", (changes) => {
    const decision = policy.decide(viewOf(changes));
    expect(decision).toMatchObject({
      goalPages: changes.targetPages,
      atMostPages: Number.POSITIVE_INFINITY,
      short: false,
      lookAgainMs: undefined,
    });
  });

  it("is taken back in the driver's deflate mode, of which a decision says nothing", () => {
    for (const heldPages of [9, 5000, TOTAL_PAGES]) {
      const decision = policy.decide(viewOf({ heldPages }));
      const said = ["atMostPages", "goalPages", "lookAgainMs", "short"];
      expect(Object.keys(decision).sort()).toEqual(said);
    }
  });
});

describe("a target out of reach", () => {
  it("is chased as far as the reserve allows", () => {
    const view = viewOf({ targetPages: TOTAL_PAGES, heldPages: 10, inflatingPages: 20 });
    const decision = policy.decide({ ...view, freePages: 5000 });
    expect(decision.goalPages).toBe(10 + 20 + 5000 - RESERVE_PAGES);
  });

  it("is a shortage when nothing more can be taken", () => {
    const view = viewOf({ targetPages: 1000, heldPages: 10, freePages: RESERVE_PAGES });
    expect(policy.decide(view)).toMatchObject({
      goalPages: 10,
      short: true,
      lookAgainMs: view.nowMs + RETRY_MS,
    });
  });

  const short = (changes: Partial<PolicyView>) =>
    viewOf({ targetPages: 1000, heldPages: 10, freePages: 300, lastShortageMs: 1000, ...changes });

  it("waits twice as long after each shortage, up to the longest wait", () => {
    const waits = [1, 2, 3, 6, 7, 40, 5000].map((shortages) => {
      const decision = policy.decide(short({ shortages, nowMs: 1000 }));
      expect(decision).toMatchObject({ goalPages: 10, atMostPages: 0, short: undefined });
      return (decision.lookAgainMs ?? 0) - 1000;
    });
    expect(waits).toEqual([100, 200, 400, 3200, 5000, 5000, 5000]);
  });

  it("goes on with a try that one turn could not end, and waits again when it is over", () => {
    const amid = { shortages: 3, nowMs: 1050, freePages: 256 + 40, lastInflateMs: 1040 };
    const goesOn = { goalPages: 50, short: undefined, lookAgainMs: 1000 + 400 };
    expect(policy.decide(short(amid))).toMatchObject(goesOn);
    const underway = { ...amid, lastInflateMs: 1000, nowMs: 1390, inflatingPages: 5 };
    expect(policy.decide(short(underway))).toMatchObject({ ...goesOn, goalPages: 55 });
    const over = [{ lastInflateMs: 990 }, { lastInflateMs: 1000, nowMs: 1100 }];
    for (const changes of over) {
      const decision = policy.decide(short({ ...amid, ...changes }));
      expect(decision).toMatchObject({ goalPages: 10, atMostPages: 0 });
    }
  });

  it("waits up to a quarter longer by chance, and never less", () => {
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), random, (shortages, chance) => {
        const at = policy.decide(short({ shortages, random: chance, nowMs: 1000 })).lookAgainMs;
        const base = Math.min(RETRY_MS * 2 ** (shortages - 1), RETRY_MOST_MS);
        expect(at).toBeGreaterThanOrEqual(1000 + base);
        expect(at).toBeLessThanOrEqual(1000 + base * 1.25);
      }),
    );
    const most = policy.decide(short({ shortages: 1, random: 0.999, nowMs: 1000 })).lookAgainMs;
    expect(most).toBeGreaterThan(1000 + 1.2 * RETRY_MS);
  });

  it("is tried again when the wait is over, and counts again when little is free", () => {
    const again = policy.decide(short({ shortages: 3, nowMs: 1400 }));
    expect(again).toMatchObject({ goalPages: 10 + 300 - RESERVE_PAGES, short: true });
    const plenty = policy.decide(short({ shortages: 3, nowMs: 1400, freePages: 900 }));
    expect(plenty).toMatchObject({ goalPages: 10 + 900 - RESERVE_PAGES, short: false });
  });

  it("that comes within reach is chased before the wait is over", () => {
    const decision = policy.decide(short({ shortages: 9, nowMs: 1001, freePages: 2000 }));
    expect(decision).toMatchObject({ goalPages: 1000, short: false });
  });
});

describe("after the guest ran out of memory", () => {
  const oom = { targetPages: 1000, heldPages: 500, lastOomMs: 3000, targetChangedMs: 2500 };

  it("an unchanged target is left alone for a while", () => {
    expect(policy.decide(viewOf({ ...oom, nowMs: 3001 }))).toMatchObject({
      goalPages: 500,
      atMostPages: 0,
      lookAgainMs: 3000 + HOLD_OFF_MS,
    });
    expect(policy.decide(viewOf({ ...oom, nowMs: 3000 + HOLD_OFF_MS })).goalPages).toBe(1000);
  });

  it("a changed target is chased at once", () => {
    const view = viewOf({ ...oom, targetPages: 1001, targetChangedMs: 3001, nowMs: 3001 });
    expect(policy.decide(view).goalPages).toBe(1001);
  });

  it("a lower target is followed all the same", () => {
    expect(policy.decide(viewOf({ ...oom, targetPages: 100, nowMs: 3001 })).goalPages).toBe(100);
  });
});
