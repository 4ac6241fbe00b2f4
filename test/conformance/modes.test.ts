/**
 * Who is told when: the deflate modes under every outcome of negotiation.
 *
 * What a mode is allowed to do is decided by what was negotiated, and by nothing else.
 */
import { describe, expect, it } from "vitest";
import type { HostDesignName, Machine, MachineOptions, RuleId } from "../../src/device/index.ts";
import { BallonetError, type DeflateMode } from "../../src/index.ts";
import { createTestVm, type TestVm, type TestVmOptions, verdictLines } from "../support/vm.ts";

const FRAMES = 2048;
const late = { kind: "late", ms: 20 } as const;
const AT_ONCE = ["use-first", "silent"] as const;

/** Two ways of not having negotiated MUST_TELL_HOST. */
const FREE_WAYS = [
  { way: "declined", settings: { mustTellHost: "decline" }, machine: { waive: ["D1"] } },
  { way: "not offered", settings: {}, machine: { offer: { mustTellHost: false } } },
] as const;

function brokenRules(machine: Machine): RuleId[] {
  return [...new Set(machine.verdicts.map(({ rule }) => rule))].sort();
}

/** A balloon of `held` pages, at rest. */
async function inflated(options: TestVmOptions, held: number): Promise<TestVm> {
  const vm = await createTestVm({ frames: FRAMES, ...options });
  vm.machine.setTarget(held);
  vm.settle();
  expect(vm.machine.heldPages).toBe(held);
  return vm;
}

/** A new target, and what the driver does about it before any buffer comes back. */
function turn(vm: TestVm, target: number): void {
  vm.machine.setTarget(target);
  expect(vm.balloon.interrupt()).toBe(true);
}

function queueLines(vm: TestVm): string[] {
  return vm.machine.trace
    .lines()
    .filter((line) => / (deflateq (take|return)|log info: guest)/.test(line));
}

describe.each(AT_ONCE)("%s with MUST_TELL_HOST negotiated", (deflateMode) => {
  const says = new RegExp(`deflate mode "${deflateMode}".*MUST_TELL_HOST negotiated.*tell-first`);

  it("is a configuration error at creation", async () => {
    const creating = createTestVm({ frames: FRAMES, settings: { deflateMode } });
    const error = await creating.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(BallonetError);
    expect(error).toMatchObject({ code: "config", message: expect.stringMatching(says) });
    expect((error as BallonetError).todo).toContain("decline MUST_TELL_HOST");
  });

  it("is one at run time, and the mode stays", async () => {
    const vm = await inflated({ machine: { completion: late } }, 700);
    expect(() => vm.balloon.setDeflateMode(deflateMode)).toThrow(
      expect.objectContaining({ code: "config", message: expect.stringMatching(says) }),
    );
    expect(vm.balloon.status().deflateMode).toBe("tell-first");
    turn(vm, 100);
    expect(vm.balloon.counts()).toMatchObject({ held: 100, deflating: 600 });
    vm.settle();
    vm.machine.check();
    expect(verdictLines(vm.machine)).toEqual([]);
  });
});

it("tell-if-must with MUST_TELL_HOST negotiated: as tell-first", async () => {
  const settings = { deflateMode: "tell-if-must" } as const;
  const vm = await inflated({ settings, machine: { completion: late } }, 700);
  const { free } = vm.balloon.counts();
  turn(vm, 100);
  expect(vm.balloon.counts()).toMatchObject({ free, deflating: 600 });
  vm.settle();
  expect(vm.balloon.counts().free).toBe(free + 600);
  vm.machine.check();
  expect(verdictLines(vm.machine)).toEqual([]);
});

describe.each(FREE_WAYS)("MUST_TELL_HOST $way", ({ settings, machine }) => {
  const options = (deflateMode: DeflateMode): TestVmOptions => ({
    settings: { ...settings, deflateMode },
    machine: { ...machine, completion: late } as Omit<MachineOptions, "memory">,
  });

  it("tell-first: pages come back with the acknowledgement", async () => {
    const vm = await inflated(options("tell-first"), 700);
    const { free } = vm.balloon.counts();
    turn(vm, 100);
    expect(vm.balloon.counts()).toMatchObject({ free, deflating: 600 });
    vm.settle();
    expect(vm.balloon.counts()).toMatchObject({ free: free + 600, held: 100, deflating: 0 });
    vm.machine.check();
    expect(verdictLines(vm.machine)).toEqual([]);
  });

  it("use-first: pages come back at once, and the host is told in the same burst", async () => {
    const vm = await inflated(options("use-first"), 700);
    const { free } = vm.balloon.counts();
    turn(vm, 100);
    expect(vm.balloon.counts()).toMatchObject({ free: free + 600, held: 100 });
    expect(vm.machine.deflatingPages).toBe(600);
    expect(vm.balloon.status().actualPages).toBe(700);
    expect(vm.guest.grow(free + 600, 3)).toBe(free + 600);
    vm.machine.hal.log("info", "guest uses the pages");
    vm.settle();
    expect(vm.machine.actual).toBe(100);
    expect(vm.guest.verify()).toBe(0);
    vm.machine.check();
    expect(verdictLines(vm.machine)).toEqual([]);
    const steps = queueLines(vm).map((line) => /take|return|log/.exec(line)?.[0]);
    expect([...new Set(steps)]).toEqual(["take", "log", "return"]);
  });

  it("silent: the host is never told; `actual` alone falls, and the judge says so", async () => {
    const vm = await inflated(options("silent"), 700);
    const { free } = vm.balloon.counts();
    turn(vm, 100);
    expect(vm.balloon.counts()).toMatchObject({ free: free + 600, held: 100 });
    vm.settle();
    expect(vm.machine.actual).toBe(100);
    expect(vm.machine.heldPages).toBe(700);
    expect(queueLines(vm)).toEqual([]);
    vm.machine.check();
    expect(brokenRules(vm.machine)).toEqual(["D9"]);
  });

  it("silent: a guest that uses the pages breaks that rule and no other", async () => {
    const vm = await inflated(options("silent"), 700);
    turn(vm, 0);
    expect(vm.guest.grow(FRAMES, 3)).toBe(FRAMES);
    vm.settle();
    vm.machine.check();
    expect(vm.guest.verify()).toBe(0);
    expect(brokenRules(vm.machine)).toEqual(["D9"]);
  });

  it("tell-if-must: as use-first", async () => {
    const vm = await inflated(options("tell-if-must"), 700);
    const { free } = vm.balloon.counts();
    turn(vm, 100);
    expect(vm.balloon.counts()).toMatchObject({ free: free + 600, held: 100 });
    expect(vm.machine.deflatingPages).toBe(600);
    vm.settle();
    vm.machine.check();
    expect(verdictLines(vm.machine)).toEqual([]);
  });

  it("the mode may change at run time", async () => {
    const vm = await inflated(options("tell-first"), 700);
    vm.balloon.setDeflateMode("use-first");
    turn(vm, 600);
    expect(vm.balloon.counts().deflating).toBe(0);
    vm.settle();
    vm.balloon.setDeflateMode("tell-first");
    turn(vm, 500);
    expect(vm.balloon.counts().deflating).toBe(100);
    vm.settle();
    vm.machine.check();
    expect(verdictLines(vm.machine)).toEqual([]);
  });

  it("a mode that nobody knows is refused", async () => {
    const vm = await inflated(options("tell-first"), 10);
    expect(() => vm.balloon.setDeflateMode("tell-last" as DeflateMode)).toThrow(
      expect.objectContaining({ code: "config", message: expect.stringContaining('"tell-last"') }),
    );
  });
});

describe("the experimental dialect of two bits", () => {
  const make = (deflateMode: DeflateMode, hostDesign: HostDesignName = "two-bit") =>
    inflated({ settings: { dialect: "two-bit", deflateMode }, machine: { hostDesign } }, 700);

  it("tell-first promises to tell: the host unlocks, and no other mode is allowed", async () => {
    const vm = await make("tell-first");
    expect(vm.balloon.status().negotiated).toContain("WILL_TELL_HOST");
    expect(vm.balloon.status().negotiated).not.toContain("SILENT_DEFLATE");
    expect(vm.machine.memory.unlocked).toBe(700);
    for (const mode of AT_ONCE) {
      expect(() => vm.balloon.setDeflateMode(mode)).toThrow(BallonetError);
    }
  });

  it("silent asks for the permission, and breaks no rule with it", async () => {
    const vm = await make("silent");
    expect(vm.balloon.status().negotiated).toContain("SILENT_DEFLATE");
    expect(vm.machine.memory.unlocked).toBe(0);
    turn(vm, 0);
    expect(vm.guest.grow(FRAMES, 3)).toBe(FRAMES);
    vm.settle();
    vm.guest.shrink(FRAMES);
    turn(vm, 400);
    vm.settle();
    vm.machine.check();
    expect(vm.guest.verify()).toBe(0);
    expect(verdictLines(vm.machine)).toEqual([]);
  });

  it("use-first promises nothing and asks for nothing", async () => {
    const vm = await make("use-first");
    expect(vm.balloon.status().negotiated).not.toMatch(/WILL_TELL_HOST|SILENT_DEFLATE/);
    expect(() => vm.balloon.setDeflateMode("silent")).toThrow("SILENT_DEFLATE not negotiated");
  });

  it("silent without the permission is a configuration error", async () => {
    const settings = {
      dialect: "two-bit",
      deflateMode: "silent",
      mustTellHost: "decline",
    } as const;
    const creating = createTestVm({ frames: FRAMES, settings, machine: { waive: ["D1"] } });
    await expect(creating).rejects.toMatchObject({
      code: "config",
      message: expect.stringContaining("SILENT_DEFLATE not negotiated"),
    });
  });

  it("a driver of the standard dialect leaves both bits alone", async () => {
    const vm = await inflated({ machine: { hostDesign: "two-bit" } }, 700);
    expect(vm.balloon.status().offered).toMatch(/WILL_TELL_HOST SILENT_DEFLATE/);
    expect(vm.balloon.status().negotiated).not.toMatch(/WILL_TELL_HOST|SILENT_DEFLATE/);
    expect(vm.machine.memory.unlocked).toBe(0);
  });
});
