/** A Hal whose clock stands still while a balloon sleeps in real time is warned of, once. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Balloon, createBalloon, gentle, type Hal } from "../../../src/index.ts";
import { rig } from "./rig.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A balloon, its machine, and the warnings in its log. */
async function running(now?: () => number, settings = {}) {
  const { options, machine } = await rig({ completion: { kind: "late", ms: 5 } });
  const warnings: string[] = [];
  const hal: Hal = {
    ...options.hal,
    ...(now && { now }),
    log: (level, line) => {
      if (level === "warn") warnings.push(line);
    },
  };
  const balloon = await createBalloon({ ...options, hal, settings });
  return { balloon, machine, warnings };
}

async function runFor(balloon: Balloon, ms: number, every = () => {}): Promise<void> {
  const abort = new AbortController();
  const run = balloon.run({ signal: abort.signal });
  for (let passed = 0; passed < ms; passed += 100) {
    every();
    await vi.advanceTimersByTimeAsync(100);
  }
  abort.abort();
  await run;
}

const STILL = [
  expect.stringMatching(
    /^the machine's clock stands still: it moved by \d\.\d{3} ms while \d+ ms passed; call advance\(ms\) or run\(\)/,
  ),
];

describe("one warning", () => {
  it("of a machine whose time nobody moves on, though it runs on and on", async () => {
    const { balloon, machine, warnings } = await running();
    machine.setTarget(100);
    await runFor(balloon, 20_000);
    expect(machine.heldPages).toBe(0);
    expect(warnings).toEqual(STILL);
    await runFor(balloon, 5000);
    expect(warnings).toEqual(STILL);
  });

  it("where sleeps are short", async () => {
    const { balloon, machine, warnings } = await running();
    balloon.setPolicy(gentle({ pagesPerSecond: 100 }));
    machine.setTarget(100);
    await runFor(balloon, 5000);
    expect(warnings).toEqual(STILL);
  });

  it("in a wait for resume that a standing clock never ends", async () => {
    const { balloon, warnings } = await running(undefined, { pauseAfterFeaturesMs: 5000 });
    const abort = new AbortController();
    const { signal } = abort;
    await balloon.suspend();
    const resumed = balloon.resume({ signal }).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(warnings).toEqual(STILL);
    abort.abort("enough");
    expect(await resumed).toBe("enough");
  });
});

describe("no warning", () => {
  it("with the real clock", async () => {
    for (const now of [() => performance.now(), () => Date.now()]) {
      const { balloon, warnings } = await running(now);
      await runFor(balloon, 20_000);
      expect(warnings).toEqual([]);
    }
  });

  it("with a clock that is slow, coarse or counts from below 0", async () => {
    const clocks = [
      () => performance.now() / 20,
      () => Math.floor(performance.now() / 100) * 100,
      () => performance.now() - 1e9,
    ];
    for (const now of clocks) {
      const { balloon, warnings } = await running(now);
      await runFor(balloon, 20_000);
      expect(warnings).toEqual([]);
    }
  });

  it("with a virtual clock that is moved on", async () => {
    const { balloon, machine, warnings } = await running();
    machine.setTarget(100);
    await runFor(balloon, 20_000, () => machine.advance(100));
    expect(machine.heldPages).toBe(100);
    expect(warnings).toEqual([]);
  });
});

it("a clock that gives no number ends run with an error", async () => {
  let now: unknown = 1;
  const { balloon } = await running(() => now as number);
  now = undefined;
  const { signal } = new AbortController();
  await expect(balloon.run({ signal })).rejects.toMatchObject({
    code: "config",
    what: "hal.now()",
    seen: "undefined",
    todo: expect.stringContaining("milliseconds"),
  });
});
