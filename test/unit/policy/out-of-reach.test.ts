/**
 * Policies under a target that is out of reach by a little: what is within reach is reached in a
 * stated time, however small the queue, slow the device and long the row of shortages before.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FOLLOW_DEFAULTS, follow } from "../../../runtime/policy/follow.ts";
import { gentle } from "../../../runtime/policy/gentle.ts";
import type { Policy, PolicyView } from "../../../runtime/policy/policy.ts";
import { viewOf } from "./view.ts";

interface Guest {
  /** Pages that are free beyond the reserve, and by how many the target is beyond them. */
  readonly spare: number;
  readonly missing: number;
  /** Pages that the queue takes at once, and how long the device takes for them. */
  readonly room: number;
  readonly answerMs: number;
  readonly shortages: number;
  readonly random: number;
}

const anyGuest: fc.Arbitrary<Guest> = fc.record({
  spare: fc.integer({ min: 1, max: 300 }),
  missing: fc.integer({ min: 1, max: 5 }),
  room: fc.integer({ min: 1, max: 300 }),
  answerMs: fc.integer({ min: 0, max: 400 }),
  shortages: fc.integer({ min: 0, max: 40 }),
  random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
});

const STEPS_MAX = 5000;

/** The longest wait after a shortage, with its jitter, and what sums of fractions lose. */
const LONGEST_MS = FOLLOW_DEFAULTS.retryMostMs * (1 + FOLLOW_DEFAULTS.jitter) + 1;

/** Lets the policy drive a balloon alone. Returns when the last spare page was posted. */
function doneAfterMs(policy: Policy, guest: Guest): number {
  const { spare, missing, room, answerMs, shortages, random } = guest;
  let view: PolicyView = viewOf({
    ...{ nowMs: 0, reservePages: 0, freePages: spare, targetPages: spare + missing },
    ...{ shortages, lastShortageMs: 0, random },
  });
  let answerAtMs = Number.POSITIVE_INFINITY;
  for (let step = 0; step < STEPS_MAX; step++) {
    const { nowMs } = view;
    if (nowMs >= answerAtMs) {
      const heldPages = view.heldPages + view.inflatingPages;
      view = { ...view, heldPages, inflatingPages: 0, lastAnswerMs: nowMs };
      answerAtMs = Number.POSITIVE_INFINITY;
    }
    const { goalPages, atMostPages, short, lookAgainMs } = policy.decide(view);
    if (short === false) view = { ...view, shortages: 0 };
    if (short) view = { ...view, shortages: view.shortages + 1, lastShortageMs: nowMs };
    const wanted = Math.min(goalPages - view.heldPages - view.inflatingPages, atMostPages);
    const posted = Math.max(0, Math.min(wanted, room - view.inflatingPages, view.freePages));
    if (posted > 0) {
      if (view.inflatingPages === 0) answerAtMs = nowMs + answerMs;
      const inflatingPages = view.inflatingPages + posted;
      view = { ...view, freePages: view.freePages - posted, inflatingPages, lastInflateMs: nowMs };
    }
    if (view.freePages === 0) return nowMs;
    // A driver looks again only for what is still to come.
    const next = Math.min(answerAtMs, lookAgainMs ?? Number.POSITIVE_INFINITY);
    view = { ...view, nowMs: Math.max(next, nowMs + 0.001) };
  }
  throw new Error(`${view.freePages} of ${spare} pages are left after ${view.nowMs} ms`);
}

describe.each([
  { policy: follow(), msPerPage: 0, portions: 0 },
  { policy: gentle({ pagesPerSecond: 200 }), msPerPage: 5, portions: 100 },
  { policy: gentle({ pagesPerSecond: 9000 }), msPerPage: 1 / 9, portions: 100 },
])("$policy.name, $msPerPage ms a page", ({ policy, msPerPage, portions }) => {
  it("has posted all that it can after one wait, and the time of its pace and the device", () => {
    fc.assert(
      fc.property(anyGuest, (guest) => {
        const bursts = Math.ceil(guest.spare / guest.room);
        // A portion that the queue cut short costs the pause of a whole one.
        const paceMs = guest.spare * msPerPage + (bursts + 1) * portions;
        const most = LONGEST_MS + paceMs + bursts * guest.answerMs;
        expect(doneAfterMs(policy, guest)).toBeLessThanOrEqual(most);
      }),
      { numRuns: 500 },
    );
  });
});
