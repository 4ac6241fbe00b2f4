/** The policy `cooperative`: what it asks for, in which order, and for how long it waits. */
import { describe, expect, it } from "vitest";
import { cooperative } from "../../../runtime/policy/cooperative.ts";
import { follow } from "../../../runtime/policy/follow.ts";
import { RESERVE_PAGES, viewOf } from "./view.ts";

const policy = cooperative({ giveMs: 100, retryMs: 100, jitter: 0 });
const MISSING = 1000;
/** 1000 pages are free beyond the reserve, and 2000 are asked for. */
const short = {
  targetPages: 2 * MISSING,
  freePages: RESERVE_PAGES + MISSING,
  offeredPages: 5000,
};

describe("a target beyond what is free", () => {
  it("takes what is free at once, and asks the caches for the rest", () => {
    expect(policy.decide(viewOf(short))).toEqual({
      goalPages: MISSING,
      atMostPages: Number.POSITIVE_INFINITY,
      short: undefined,
      lookAgainMs: 1100,
      ask: { from: "caches", pages: MISSING },
    });
  });

  it("waits for who was asked, and asks nobody else meanwhile", () => {
    const view = viewOf({ ...short, asked: { from: "caches", sinceMs: 950 } });
    expect(policy.decide(view)).toMatchObject({ short: undefined, lookAgainMs: 1050 });
    expect(policy.decide(view).ask).toBeUndefined();
  });

  it("asks for a collection of garbage when the time of the caches is over", () => {
    const view = viewOf({ ...short, asked: { from: "caches", sinceMs: 900 } });
    expect(policy.decide(view).ask).toEqual({ from: "garbage", pages: MISSING });
  });

  it("does so at once where no cache offers anything", () => {
    const view = viewOf({ ...short, offeredPages: 0 });
    expect(policy.decide(view).ask).toEqual({ from: "garbage", pages: MISSING });
  });

  it("is out of reach once all were asked, as with follow", () => {
    const nothing = { ...short, freePages: RESERVE_PAGES };
    const view = viewOf({ ...nothing, asked: { from: "garbage", sinceMs: 900 } });
    expect(policy.decide(view)).toEqual(follow({ jitter: 0 }).decide(view));
    expect(policy.decide(view).short).toBe(true);
  });

  it("asks nobody before its next try, nor while it is held off", () => {
    const nothing = { ...short, freePages: RESERVE_PAGES };
    const waiting = viewOf({ ...nothing, shortages: 3, lastShortageMs: 999 });
    const heldOff = viewOf({ ...short, lastOomMs: 999 });
    for (const view of [waiting, heldOff]) {
      expect(policy.decide(view)).toEqual(follow({ jitter: 0 }).decide(view));
    }
  });
});

it.each([
  ["within reach", { targetPages: MISSING, offeredPages: 5000 }],
  ["below what the balloon holds", { targetPages: 10, heldPages: 20, offeredPages: 5000 }],
  ["in a guest without a program", { ...short, offeredPages: undefined }],
])("is follow where the target is %s", (_, changes) => {
  const view = viewOf(changes);
  expect(policy.decide(view)).toEqual(follow({ jitter: 0 }).decide(view));
});
