/**
 * A device that misbehaves, in every way that the reference device knows: what the driver makes of
 * it, and that the guest goes on.
 *
 * Every test ends with the guest's own memory verified and no rule broken by the driver.
 */
import { describe, expect, it } from "vitest";
import {
  type Completion,
  type FaultName,
  faults,
  hasFailed,
  type MachineOptions,
  profiles,
} from "../../src/device/index.ts";
import type { BallonetError, ErrorCode } from "../../src/index.ts";
import { createTestVm, type TestVm, verdictLines, watch } from "../support/vm.ts";
import { faultsWithoutScenario } from "./tables/known-gaps.ts";

const FRAMES = 2048;
const GUEST_FRAMES = 300;
const MINUTES_10_MS = 600_000;
/** One look a second, and one for each thing that happened. */
const STEPS_MOST = 700;
const NOTIFICATIONS_MOST = 20;

const late = { kind: "late", ms: 5 } as const satisfies Completion;
/** Without EVENT_IDX there is an interrupt for every buffer, so the driver looks at each. */
const oneByOne = {
  completion: { kind: "scattered", ms: 50 },
  offer: { eventIdx: false },
} as const satisfies Omit<MachineOptions, "memory">;

/** The guest program takes all memory that is left, verifies it and gives it back. */
function guestGoesOn(vm: TestVm): void {
  const before = vm.balloon.counts();
  expect(vm.guest.verify()).toBe(0);
  const got = vm.guest.grow(FRAMES, 11);
  expect(got).toBeGreaterThan(0);
  const { inflating, held, deflating } = vm.balloon.counts();
  expect(inflating).toBe(before.inflating);
  expect(got).toBe(before.free + before.held + before.deflating - held - deflating);
  vm.machine.audit();
  expect(vm.guest.shrink(got)).toBe(0);
  expect(vm.guest.verify()).toBe(0);
  expect(verdictLines(vm.machine)).toEqual([]);
}

/** Ten minutes of virtual time in which the driver must not spin. */
function isQuiet(vm: TestVm): void {
  const { steps, notifications } = watch(vm, MINUTES_10_MS);
  expect(steps).toBeLessThanOrEqual(STEPS_MOST);
  expect(notifications).toBeLessThanOrEqual(NOTIFICATIONS_MOST);
}

async function runningVm(machine: Omit<MachineOptions, "memory">): Promise<TestVm> {
  const vm = await createTestVm({ frames: FRAMES, machine });
  vm.guest.grow(GUEST_FRAMES, 7);
  vm.machine.setTarget(600);
  watch(vm, 100);
  expect(vm.machine.heldPages).toBe(600);
  return vm;
}

interface Lie {
  readonly machine: Omit<MachineOptions, "memory">;
  readonly target: number;
  /** In the driver's last error. */
  readonly words: RegExp;
}

const lies: Partial<Record<FaultName, Lie>> = {
  "used-id-out-of-range": {
    machine: { completion: late },
    target: 1200,
    words: /used id that no buffer has/,
  },
  "used-id-not-in-flight": {
    machine: { completion: late },
    target: 1200,
    words: /id that is not in flight/,
  },
  "used-id-twice": { machine: oneByOne, target: 1700, words: /id that is not in flight/ },
  "used-idx-jump": { machine: { completion: late }, target: 1200, words: /used\.idx ran past/ },
  "used-idx-back": { machine: { completion: late }, target: 610, words: /used\.idx ran past/ },
};

describe("a used ring that lies", () => {
  it.each(Object.entries(lies))("%s: FAILED, with the reason", async (name, lie) => {
    const vm = await runningVm(lie.machine);
    vm.machine.inject({ name: name as FaultName });
    vm.machine.setTarget(lie.target);
    watch(vm, 200);
    const { state, lastError, inFlight } = vm.balloon.status();
    expect(state).toBe("failed");
    expect(lastError?.code).toBe("device-lied");
    expect(lastError?.message).toMatch(lie.words);
    expect(lastError?.message).toContain("inflateq");
    expect(hasFailed(vm.machine)).toBe(true);
    expect(vm.balloon.step()).toBeUndefined();

    // What the device has stays there: not given out, not posted again, not asked for.
    const { notifications } = vm.machine.counters;
    vm.machine.setTarget(0);
    watch(vm, 5000);
    expect(vm.balloon.status().inFlight).toEqual(inFlight);
    expect(vm.machine.counters.notifications).toBe(notifications);
    guestGoesOn(vm);
  });

  const otherRings = [{ packed: true }, { inOrder: true }, { packed: true, inOrder: true }];
  const ids = ["used-id-out-of-range", "used-id-not-in-flight"] as const;
  it.each(otherRings.flatMap((offer) => ids.map((name) => ({ name, offer }))))(
    "$name, $offer: the same",
    async ({ name, offer }) => {
      const vm = await runningVm({ completion: late, offer });
      vm.machine.inject({ name });
      vm.machine.setTarget(1200);
      watch(vm, 200);
      const { state, lastError } = vm.balloon.status();
      expect({ state, code: lastError?.code }).toEqual({ state: "failed", code: "device-lied" });
      expect(lastError?.message).toMatch(lies[name]?.words ?? /^$/);
      expect(hasFailed(vm.machine)).toBe(true);
      guestGoesOn(vm);
    },
  );

  it("on the deflate queue: the same", async () => {
    const vm = await runningVm({ completion: late });
    vm.machine.inject({ name: "used-id-out-of-range", queue: 1 });
    vm.machine.setTarget(100);
    watch(vm, 200);
    expect(vm.balloon.status().lastError?.message).toMatch(/deflateq.*no buffer has/);
    expect(vm.balloon.counts().deflating).toBe(500);
    guestGoesOn(vm);
  });

  it("on the statistics queue: the same", async () => {
    const vm = await runningVm({ completion: late });
    vm.machine.inject({ name: "used-id-out-of-range", queue: 2 });
    vm.machine.requestStats();
    watch(vm, 200);
    expect(vm.balloon.status().lastError?.message).toMatch(/statsq.*no buffer has/);
    guestGoesOn(vm);
  });
});

async function refused(
  machine: Omit<MachineOptions, "memory">,
  mustTellHost: "accept" | "decline",
): Promise<{ readonly error: BallonetError; readonly failed: boolean; readonly resets: number }> {
  const made: { machine?: TestVm["machine"] } = {};
  const error = await createTestVm({
    frames: FRAMES,
    machine,
    settings: { mustTellHost },
    onMachine: (it) => {
      made.machine = it;
    },
  }).then(
    () => expect.fail("the device should have been refused"),
    (thrown: BallonetError) => thrown,
  );
  if (made.machine === undefined) throw new Error("no machine was made");
  expect(verdictLines(made.machine)).toEqual([]);
  const resets = made.machine.trace.lines().filter((line) => line.endsWith("host reset")).length;
  return { error, failed: hasFailed(made.machine), resets };
}

describe("a device that refuses features", () => {
  it("refuse-features, once: the driver asks for less and comes up", async () => {
    const vm = await runningVm({ faults: [{ name: "refuse-features", times: 1 }] });
    expect(vm.balloon.status().negotiated).toBe("MUST_TELL_HOST STATS_VQ DEFLATE_ON_OOM VERSION_1");
    expect(vm.machine.trace.lines().join("\n")).toContain(
      "feature sets that the device refused: 1",
    );
    isQuiet(vm);
    guestGoesOn(vm);
  });

  it("refuse-features, for ever: FAILED after a bounded number of tries", async () => {
    const faults = [{ name: "refuse-features", times: 1000 }] as const;
    // The last set that it tries is empty, MUST_TELL_HOST gone too.
    const { error, failed, resets } = await refused({ faults, waive: ["D1"] }, "accept");
    expect(error.code).toBe<ErrorCode>("features");
    expect(error.message).toMatch(/4 sets refused/);
    expect(failed).toBe(true);
    expect(resets).toBe(4);
  });

  it("refuse-without-must-tell-host: comes up by accepting it", async () => {
    const vm = await runningVm({ faults: [{ name: "refuse-without-must-tell-host" }] });
    expect(vm.balloon.status().negotiated).toContain("MUST_TELL_HOST");
    guestGoesOn(vm);
  });

  it("refuse-without-must-tell-host: FAILED when the bit is declined", async () => {
    const { error, failed } = await refused(
      { faults: [{ name: "refuse-without-must-tell-host" }], waive: ["D1"] },
      "decline",
    );
    expect(error.code).toBe<ErrorCode>("features");
    expect(failed).toBe(true);
  });
});

describe("a device that resets badly", () => {
  it("reset-never-clears, amid a restart: given up, and no status bit is set", async () => {
    const vm = await runningVm({});
    vm.machine.inject({ name: "reset-never-clears" });
    vm.machine.inject({ name: "needs-reset" });
    watch(vm, 10_000);
    const { state, lastError } = vm.balloon.status();
    expect(state).toBe("failed");
    expect(lastError?.code).toBe("reset-timeout");
    expect(lastError?.message).toMatch(/after 1000 polls/);
    expect(vm.machine.status).toBe(0);
    // Until the reset is over, the device may still use what it had.
    expect(vm.balloon.counts().held).toBe(600);
    isQuiet(vm);
    guestGoesOn(vm);
  });

  it("reset-slow: waited for", async () => {
    const vm = await runningVm({ faults: [{ name: "reset-slow", times: 50 }] });
    expect(vm.balloon.status().state).toBe("running");
    guestGoesOn(vm);
  });

  it("needs-reset: brought up anew, and the target chased from nothing", async () => {
    const vm = await runningVm({ completion: late });
    vm.machine.setTarget(1200);
    vm.balloon.interrupt();
    expect(vm.balloon.counts().inflating).toBe(600);
    vm.machine.inject({ name: "needs-reset" });
    watch(vm, 1000);
    const { state, restarts, lastError } = vm.balloon.status();
    expect({ state, restarts, code: lastError?.code }).toEqual({
      state: "running",
      restarts: 1,
      code: "device-failed",
    });
    expect(lastError?.message).toContain("DEVICE_NEEDS_RESET");
    expect(vm.machine.heldPages).toBe(1200);
    vm.machine.check();
    isQuiet(vm);
    guestGoesOn(vm);
  });

  it("generation-never-settles: one field needs no generation, so nothing is lost", async () => {
    const vm = await runningVm({ faults: [{ name: "generation-never-settles" }] });
    vm.machine.setTarget(1000);
    watch(vm, 100);
    expect(vm.machine.heldPages).toBe(1000);
    isQuiet(vm);
    guestGoesOn(vm);
  });
});

describe("a device that answers nothing", () => {
  it("profile libkrun: the state is visible, the driver quiet, the guest alive", async () => {
    const vm = await createTestVm({ frames: FRAMES, machine: { profile: "libkrun" } });
    vm.guest.grow(GUEST_FRAMES, 7);
    vm.machine.setTarget(500);
    watch(vm, 1000);
    const { inFlight, waitingMs, state } = vm.balloon.status();
    expect(state).toBe("running");
    expect(inFlight).toEqual({ inflatePages: 500, deflatePages: 0 });
    isQuiet(vm);
    const later = vm.balloon.status();
    expect(later.inFlight).toEqual(inFlight);
    expect(later.waitingMs - waitingMs).toBeGreaterThanOrEqual(MINUTES_10_MS);
    vm.machine.setTarget(0);
    watch(vm, 1000);
    expect(vm.balloon.counts().inflating).toBe(500);
    guestGoesOn(vm);
  });

  it("profile libkrun, if it served statistics: they are answered all the same", async () => {
    const { libkrun } = profiles;
    const profile = { ...libkrun, balloon: { ...libkrun.balloon, statsServed: true } };
    const vm = await createTestVm({ frames: FRAMES, machine: { profile } });
    vm.machine.setTarget(500);
    watch(vm, 1000);
    for (let sample = 2; sample < 5; sample++) {
      expect(vm.machine.requestStats()).toBe(true);
      vm.balloon.interrupt();
      expect(vm.machine.stats).toMatchObject({ samples: sample, waiting: false });
      watch(vm, 5000);
    }
    guestGoesOn(vm);
  });

  it("an inflate queue that hangs: statistics at once, deflates all the same", async () => {
    const vm = await createTestVm({
      frames: FRAMES,
      machine: { completion: { inflate: { kind: "never" } } },
    });
    vm.machine.setTarget(700);
    vm.balloon.interrupt();
    expect(vm.balloon.status().inFlight.inflatePages).toBe(700);
    const before = vm.machine.nowMs;
    expect(vm.machine.requestStats()).toBe(true);
    expect(vm.balloon.interrupt()).toBe(true);
    expect(vm.machine.stats).toMatchObject({ samples: 2, requests: 1, waiting: false });
    expect(vm.machine.nowMs - before).toBeLessThan(1);
    isQuiet(vm);
    expect(vm.balloon.status().waitingMs).toBeGreaterThan(MINUTES_10_MS - 1);
    guestGoesOn(vm);
  });

  it("a deflate queue that hangs: what was told stays away, the rest goes on", async () => {
    const vm = await runningVm({ completion: { deflate: { kind: "never" } } });
    vm.machine.setTarget(200);
    watch(vm, 1000);
    expect(vm.balloon.status().inFlight).toEqual({ inflatePages: 0, deflatePages: 400 });
    expect(vm.balloon.status().actualPages).toBe(600);
    vm.machine.requestStats();
    vm.balloon.interrupt();
    expect(vm.machine.stats.waiting).toBe(false);
    isQuiet(vm);
    guestGoesOn(vm);
  });
});

describe("a queue that stops answering", () => {
  it.each(["used-unseen", "queue-hangs"] as const)("%s: the rest goes on", async (name) => {
    const vm = await runningVm(oneByOne);
    vm.machine.inject({ name, queue: 0 });
    vm.machine.setTarget(1000);
    watch(vm, 1000);
    const { state, inFlight } = vm.balloon.status();
    expect(state).toBe("running");
    expect(inFlight.inflatePages).toBeGreaterThan(0);
    expect(vm.machine.requestStats()).toBe(true);
    vm.balloon.interrupt();
    expect(vm.machine.stats.waiting).toBe(false);
    isQuiet(vm);
    guestGoesOn(vm);
  });
});

describe("a queue that is reset by itself", () => {
  const ringReset = { offer: { ringReset: true } } as const;
  /** The inflate queue hangs with 400 pages, and the host no longer wants them. */
  const hangs = async (fault?: FaultName): Promise<TestVm> => {
    const vm = await runningVm(ringReset);
    if (fault !== undefined) vm.machine.inject({ name: fault, times: 5 });
    vm.machine.inject({ name: "queue-hangs", queue: 0 });
    vm.machine.setTarget(1000);
    watch(vm, 100);
    expect(vm.balloon.counts().inflating).toBe(400);
    vm.machine.setTarget(500);
    return vm;
  };

  it.each([undefined, "queue-reset-slow"] as const)("%s: its pages come back", async (fault) => {
    const vm = await hangs(fault);
    watch(vm, 6000);
    expect(vm.balloon.counts()).toMatchObject({ inflating: 0, held: 500 });
    expect(vm.balloon.status().restarts).toBe(0);
    vm.machine.setTarget(1100);
    watch(vm, 100);
    expect(vm.machine.heldPages).toBe(1100);
    isQuiet(vm);
    guestGoesOn(vm);
  });

  it("queue-reset-never: the whole device is reset after a bounded wait", async () => {
    const vm = await hangs("queue-reset-never");
    watch(vm, 10_000);
    const { state, restarts, lastError } = vm.balloon.status();
    expect({ state, restarts, code: lastError?.code }).toEqual({
      state: "running",
      restarts: 1,
      code: "device-failed",
    });
    expect(vm.machine.heldPages).toBe(500);
    isQuiet(vm);
    guestGoesOn(vm);
  });
});

describe("a device that is taken out", () => {
  const names = ["gone", "gone-zeros"] as const satisfies readonly FaultName[];

  it.each(names)("%s: the guest has every page, and goes on without it", async (name) => {
    const vm = await runningVm({ completion: late, profile: "firecracker" });
    vm.machine.setTarget(900);
    vm.balloon.interrupt();
    expect(vm.balloon.counts()).toMatchObject({ held: 600, inflating: 300 });
    vm.machine.inject({ name });
    const { logLines } = vm.machine.counters;
    watch(vm, 2000);
    expect(vm.balloon.counts()).toMatchObject({ held: 0, inflating: 0, deflating: 0 });
    expect(vm.machine.counters.logLines - logLines).toBe(1);
    expect(vm.balloon.status()).toMatchObject({
      state: "gone",
      transport: "none",
      negotiated: "none",
      actualPages: 0,
      lastError: { code: "device-gone" },
    });
    const { accesses } = vm.machine.counters;
    isQuiet(vm);
    await vm.balloon.resume().catch(() => {});
    expect(vm.machine.counters.accesses).toBe(accesses);
    guestGoesOn(vm);
  });

  /** Every access of discovery and bring-up, one after the other, is the last that is answered. */
  it.each(names)("%s, amid the first bring-up: an error that says so", async (name) => {
    const started = await createTestVm({ frames: FRAMES });
    const most = started.machine.counters.accesses;
    const codes = new Set<ErrorCode>();
    for (let after = 0; after < most; after++) {
      const machine = { faults: [{ name, after }] };
      const made = await createTestVm({ frames: FRAMES, machine }).catch(
        (error: BallonetError) => error,
      );
      if ("code" in made) {
        codes.add(made.code);
      } else {
        // Within its reset, or when all was done: nobody has noticed yet.
        watch(made, 3000);
        expect(made.balloon.status().state).toBe("gone");
        guestGoesOn(made);
      }
    }
    const early: ErrorCode[] = ["no-device", "pci-bar", "pci-capability"];
    expect([...codes].filter((code) => !early.includes(code))).toEqual(["device-gone"]);
  });
});

describe("a host that hints badly", () => {
  const freePageHint = { offer: { freePageHint: true } } as const;
  const hinted = (vm: TestVm) => vm.balloon.counts().hinted;

  it("hint-id-stale: an id that comes again after DONE is a run of its own", async () => {
    const vm = await runningVm(freePageHint);
    const first = vm.machine.startHinting();
    vm.settle();
    const pages = hinted(vm);
    expect(pages).toBeGreaterThan(0);
    vm.machine.finishHinting();
    vm.settle();
    expect(hinted(vm)).toBe(0);
    vm.machine.inject({ name: "hint-id-stale" });
    expect(vm.machine.startHinting()).toBe(first);
    vm.settle();
    expect(vm.machine.hinting).toMatchObject({ starts: 2, stops: 2 });
    expect(hinted(vm)).toBe(pages);
    vm.machine.finishHinting();
    vm.settle();
    isQuiet(vm);
    guestGoesOn(vm);
  });

  it("hint-id-stale: an id that comes again amid its run is no new one", async () => {
    const vm = await runningVm(freePageHint);
    const first = vm.machine.startHinting();
    vm.settle();
    vm.machine.inject({ name: "hint-id-stale" });
    expect(vm.machine.startHinting()).toBe(first);
    vm.settle();
    expect(vm.machine.hinting).toMatchObject({ starts: 1, stops: 1 });
    vm.machine.finishHinting();
    vm.settle();
    expect(hinted(vm)).toBe(0);
    guestGoesOn(vm);
  });

  it.each(["immediate", "late"] as const)("hint-done-early, %s: pages come back", async (kind) => {
    const completion = kind === "late" ? { freePage: late } : {};
    const vm = await runningVm({ ...freePageHint, ringSize: 2, completion });
    vm.machine.inject({ name: "hint-done-early" });
    vm.machine.startHinting();
    vm.settle();
    expect(hinted(vm)).toBe(0);
    expect(vm.machine.hinting.starts).toBe(1);
    vm.machine.startHinting();
    vm.settle();
    expect(vm.machine.hintedPages).toBe(hinted(vm));
    expect(hinted(vm)).toBeGreaterThan(0);
    vm.machine.finishHinting();
    vm.settle();
    expect(hinted(vm)).toBe(0);
    isQuiet(vm);
    guestGoesOn(vm);
  });
});

describe("messages that go wrong", () => {
  const vectors = 8;

  it("vector-refused, once: fewer messages, and all is told by them", async () => {
    const vm = await runningVm({ vectors, faults: [{ name: "vector-refused", queue: 1 }] });
    expect(vm.balloon.status().interrupts).toBe("msix");
    guestGoesOn(vm);
  });

  it("vector-refused, for ever: the line", async () => {
    const faults = [{ name: "vector-refused", times: 1000 }] as const;
    const vm = await runningVm({ vectors, faults });
    expect(vm.balloon.status().interrupts).toBe("line");
    isQuiet(vm);
    guestGoesOn(vm);
  });

  it.each([1, 100])("message-lost, %i times: found by looking", async (times) => {
    const vm = await runningVm({ vectors, completion: late });
    vm.machine.inject({ name: "message-lost", times });
    vm.machine.setTarget(200);
    watch(vm, 5000);
    expect(vm.machine.heldPages).toBe(200);
    expect(vm.balloon.status().actualPages).toBe(200);
    guestGoesOn(vm);
  });
});

describe("the table of faults", () => {
  it("has no fault that no test names", async () => {
    const { readFile } = await import("node:fs/promises");
    const files = [import.meta.url, new URL("./scenarios/devices.ts", import.meta.url)];
    const text = (await Promise.all(files.map((url) => readFile(new URL(url), "utf8")))).join();
    const unnamed = faults.map(({ name }) => name).filter((name) => !text.includes(`"${name}"`));
    expect(unnamed.sort()).toEqual([...faultsWithoutScenario].sort());
  });
});
