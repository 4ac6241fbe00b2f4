/** A policy that runs apart: what goes to it and comes back is what it is beside the driver. */
import { expect, it } from "vitest";
import { ownPolicy } from "../../../runtime/policy/own-policy.ts";
import { viewOf } from "./view.ts";

const saying = (text: string) => ownPolicy({ policyName: () => "mine", policyDecide: () => text });

it("is there only where there is one", () => {
  const engine = { policyName: () => undefined, policyDecide: String };
  expect(ownPolicy(engine)).toBeUndefined();
});

it("sees the view, and is called by its own name once it has decided", () => {
  const seen: unknown[] = [];
  const policy = ownPolicy({
    policyName: () => "mine",
    policyDecide: (view) => {
      seen.push(JSON.parse(view));
      return '{"name":"halves","decision":{"goalPages":7}}';
    },
  });
  expect(policy?.name).toBe("mine");
  const view = viewOf({ targetPages: 9, asked: { from: "caches", sinceMs: 5 } });
  expect(policy?.decide(view)).toEqual({ goalPages: 7 });
  expect(policy?.name).toBe("halves");
  expect(seen).toEqual([JSON.parse(JSON.stringify(view))]);
});

it("decides numbers that JSON does not have, and what is no decision", () => {
  const text = '{"decision":{"goalPages":{"number":"NaN"},"atMostPages":{"number":"Infinity"}}}';
  expect(saying(text)?.decide(viewOf())).toEqual({
    goalPages: Number.NaN,
    atMostPages: Number.POSITIVE_INFINITY,
  });
  expect(saying('{"name":"","decision":null}')?.decide(viewOf())).toBeNull();
  expect(saying('{"name":3}')?.decide(viewOf())).toBeUndefined();
});
