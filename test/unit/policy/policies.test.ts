/** What holds for every policy in every view: nothing beyond the reserve, and no hidden state. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkedPolicy } from "../../../runtime/policy/checked.ts";
import { cooperative } from "../../../runtime/policy/cooperative.ts";
import { follow } from "../../../runtime/policy/follow.ts";
import { gentle } from "../../../runtime/policy/gentle.ts";
import { GIVERS, type PolicyView, pagesBound } from "../../../runtime/policy/policy.ts";
import { reportOnly } from "../../../runtime/policy/report-only.ts";

const moment = fc.integer({ min: 0, max: 100_000 });
const pages = fc.oneof(fc.nat(600), fc.nat(0xffff_ffff));

const anyView: fc.Arbitrary<PolicyView> = fc.record({
  nowMs: moment,
  targetPages: pages,
  targetChangedMs: moment,
  heldPages: pages,
  inflatingPages: pages,
  deflatingPages: pages,
  freePages: pages,
  totalPages: pages,
  reservePages: pages,
  lastInflateMs: fc.option(moment, { nil: undefined }),
  lastAnswerMs: fc.option(moment, { nil: undefined }),
  shortages: fc.nat(50),
  lastShortageMs: moment,
  lastOomMs: fc.option(moment, { nil: undefined }),
  random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  deflateOnOom: fc.boolean(),
  offeredPages: fc.option(pages, { nil: undefined }),
  asked: fc.option(fc.record({ from: fc.constantFrom(...GIVERS), sinceMs: moment }), {
    nil: undefined,
  }),
});

describe.each([follow(), gentle(), cooperative()])("$name", (policy) => {
  it("never goes for more than the balloon has and the guest can spare", () => {
    fc.assert(
      fc.property(anyView, (view) => {
        const { goalPages } = policy.decide(view);
        const spendable = Math.max(0, view.freePages - view.reservePages);
        expect(goalPages).toBeLessThanOrEqual(pagesBound(view) + spendable);
        expect(goalPages).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 2000 },
    );
  });

  it("never goes past the target, and moves only towards it", () => {
    fc.assert(
      fc.property(anyView, (view) => {
        const { goalPages } = policy.decide(view);
        const [low, high] = [pagesBound(view), view.targetPages].sort((a, b) => a - b);
        expect(goalPages).toBeGreaterThanOrEqual(low ?? Number.NaN);
        expect(goalPages).toBeLessThanOrEqual(high ?? Number.NaN);
      }),
      { numRuns: 2000 },
    );
  });

  it("never asks to look again in the past or in a tight loop", () => {
    fc.assert(
      fc.property(anyView, (drawn) => {
        // What has happened lies before now.
        const lastInflateMs = Math.min(drawn.lastInflateMs ?? 0, drawn.nowMs);
        const view = { ...drawn, lastInflateMs };
        const { goalPages, atMostPages, lookAgainMs } = policy.decide(view);
        const waits = goalPages > pagesBound(view) || atMostPages === 0;
        if (waits && lookAgainMs !== undefined) expect(lookAgainMs).toBeGreaterThan(view.nowMs);
      }),
      { numRuns: 2000 },
    );
  });

  it("never decides what the driver refuses", () => {
    fc.assert(
      fc.property(anyView, (view) => {
        const onRefused = (error: Error) => expect.unreachable(error.message);
        const checked = checkedPolicy(policy, { instead: reportOnly(), onRefused });
        expect(checked.decide(view)).toEqual(policy.decide(view));
      }),
      { numRuns: 2000 },
    );
  });

  it("decides the same for the same view", () => {
    fc.assert(
      fc.property(anyView, anyView, (view, other) => {
        const once = policy.decide(view);
        policy.decide(other);
        expect(policy.decide(view)).toEqual(once);
      }),
    );
  });
});
