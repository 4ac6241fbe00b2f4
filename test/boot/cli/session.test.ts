/**
 * `ballonet/session` boots a guest from a program: the events of a whole session, in their order,
 * and a session that its caller leaves.
 */
import { expect, test } from "vitest";
import { runSession, type SessionEvent } from "../../../src/session/index.ts";
import { BUILD_MS, buildImages } from "../support/cli-program.ts";

test("a session tells what happened, in order", { timeout: BUILD_MS }, async () => {
  await buildImages();
  const events: SessionEvent[] = [];
  for await (const event of runSession({
    on: "v86",
    targets: [{ share: 0.25 }, { pages: 0 }],
    append: "ballonet.persona=linux",
  })) {
    events.push(event);
  }
  const steps = events
    .map(({ type }) => type)
    .filter((type) => !/building|log|progress/.test(type));
  const target = ["target", "reached", "verified", "statistics"];
  expect(steps).toEqual([
    ...["booting", "ready", "allocated"],
    ...target,
    ...target,
    ...["freed", "summary"],
  ]);
  const ready = events.find((event) => event.type === "ready");
  expect(ready).toMatchObject({ persona: "linux", deflateMode: "tell-first" });
  const reached = events.filter((event) => event.type === "reached");
  expect(reached.map(({ heldPages }) => heldPages)).toEqual([4096, 0]);
  expect(events.at(-1)).toMatchObject({ type: "summary", targets: 2, mismatches: 0 });
});

test("a caller that leaves the loop ends the guest", async () => {
  let last = "";
  for await (const event of runSession({ on: "v86" })) {
    last = event.type;
    if (last === "ready") break;
  }
  expect(last).toBe("ready");
});
