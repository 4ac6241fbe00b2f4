/** `gentle` as a pure function: pace, deflating at full speed, and patience after a shortage. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { gentle } from "../../../runtime/policy/gentle.ts";
import { pagesBound } from "../../../runtime/policy/policy.ts";
import { viewOf } from "./view.ts";

const HOLD_OFF_MS = 2000;

describe("the pace", () => {
  it("is one portion at a time", () => {
    const policy = gentle({ pagesPerSecond: 1000 });
    const first = policy.decide(viewOf({ targetPages: 5000, nowMs: 50 }));
    expect(first).toMatchObject({ goalPages: 5000, atMostPages: 100, lookAgainMs: 150 });
    const early = viewOf({ targetPages: 5000, heldPages: 100, lastInflateMs: 50, nowMs: 149 });
    expect(policy.decide(early)).toMatchObject({
      goalPages: 100,
      atMostPages: 0,
      lookAgainMs: 150,
    });
    expect(policy.decide({ ...early, nowMs: 150 })).toMatchObject({ atMostPages: 100 });
  });

  it("is never exceeded over any window, and the target is reached", () => {
    const looks = fc.array(fc.nat(400), { minLength: 1, maxLength: 60 });
    const rate = fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 50, max: 100_000 }));
    fc.assert(
      fc.property(rate, looks, fc.integer({ min: 1, max: 200_000 }), (perSecond, gaps, target) => {
        const posted = simulate(perSecond, gaps, target);
        const portion = Math.max(1, Math.round(perSecond / 10));
        for (const [from, start] of posted.entries()) {
          let pages = 0;
          for (const { atMs, pages: some } of posted.slice(from)) {
            pages += some;
            const allowed = portion + ((atMs - start.atMs) * perSecond) / 1000;
            expect(pages).toBeLessThanOrEqual(allowed + 1e-6);
          }
        }
        expect(posted.length).toBeGreaterThan(0);
      }),
    );
  });

  it("does not hold back a patient caller: what the pace allows is done", () => {
    const posted = simulate(1000, new Array<number>(50).fill(100), 5000);
    expect(posted.reduce((sum, { pages }) => sum + pages, 0)).toBe(5000);
  });
});

interface Posted {
  readonly atMs: number;
  readonly pages: number;
}

/** Looks again after each of `gaps`, several times in the same instant, as a driver's turns do. */
function simulate(pagesPerSecond: number, gaps: readonly number[], targetPages: number): Posted[] {
  const policy = gentle({ pagesPerSecond });
  const posted: Posted[] = [];
  let heldPages = 0;
  let nowMs = 0;
  for (const gap of gaps) {
    for (let turn = 0; turn < 3; turn++) {
      const lastInflateMs = posted.at(-1)?.atMs;
      const view = viewOf({ targetPages, heldPages, nowMs, lastInflateMs });
      const { goalPages, atMostPages } = policy.decide(view);
      const pages = Math.min(goalPages - heldPages, atMostPages);
      if (pages <= 0) continue;
      posted.push({ atMs: nowMs, pages });
      heldPages += pages;
    }
    nowMs += gap;
  }
  return posted;
}

describe("deflating", () => {
  it("is never slowed, whatever happened before", () => {
    const view = fc.record({
      heldPages: fc.integer({ min: 1, max: 100_000 }),
      inflatingPages: fc.nat(1000),
      nowMs: fc.integer({ min: 1000, max: 9000 }),
      lastInflateMs: fc.option(fc.nat(9000), { nil: undefined }),
      lastOomMs: fc.option(fc.nat(9000), { nil: undefined }),
      shortages: fc.nat(20),
      freePages: fc.nat(1000),
    });
    const policy = gentle({ pagesPerSecond: 10, holdOffMs: HOLD_OFF_MS });
    fc.assert(
      fc.property(view, fc.nat(99_999), (changes, some) => {
        const full = viewOf(changes);
        const targetPages = some % pagesBound(full);
        const decision = policy.decide({ ...full, targetPages });
        expect(decision.goalPages).toBe(targetPages);
        expect(decision.atMostPages).toBe(Number.POSITIVE_INFINITY);
      }),
    );
  });
});

describe("after the guest ran out of memory", () => {
  const policy = gentle({ holdOffMs: HOLD_OFF_MS, hysteresisPages: 500, pagesPerSecond: 1000 });
  const oom = { targetPages: 1000, heldPages: 300, lastOomMs: 3000, targetChangedMs: 2000 };

  it("an unchanged target waits for the hold-off", () => {
    const decision = policy.decide(viewOf({ ...oom, nowMs: 3500 }));
    expect(decision).toMatchObject({ goalPages: 300, lookAgainMs: 3000 + HOLD_OFF_MS });
  });

  it("and then until the guest has room to spare beyond the reserve", () => {
    const later = { ...oom, nowMs: 6000, reservePages: 100 };
    const tight = policy.decide(viewOf({ ...later, freePages: 599 }));
    expect(tight).toMatchObject({
      goalPages: 300,
      atMostPages: 0,
      lookAgainMs: 6000 + HOLD_OFF_MS,
    });
    const roomy = policy.decide(viewOf({ ...later, freePages: 600 }));
    expect(roomy).toMatchObject({ atMostPages: 100 });
    expect(roomy.goalPages).toBeGreaterThan(300);
  });

  it("a changed target waits for neither", () => {
    const changed = viewOf({ ...oom, targetChangedMs: 3001, nowMs: 3001, freePages: 400 });
    expect(policy.decide(changed).goalPages).toBeGreaterThan(300);
  });
});
