/**
 * A balloon that runs by itself, is stopped, and meets what is not its own. Time is faked, so
 * nothing here waits.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Machine, MachineOptions } from "../../../src/device/index.ts";
import { type BallonetError, type Balloon, createBalloon, frameBytes } from "../../../src/index.ts";
import { FRAMES, PAGE, rig } from "./rig.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

async function running(options: Omit<MachineOptions, "memory"> = {}) {
  const made = await rig(options);
  return { ...made, balloon: await createBalloon(made.options) };
}

/** Lets the machine's clock and the timers pass together, interrupts as they come. */
async function pass(machine: Machine, balloon: Balloon, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 10) {
    machine.advance(10);
    if (machine.interruptPending) balloon.interrupt();
    await vi.advanceTimersByTimeAsync(10);
  }
}

/** Whether a promise has settled by now. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  promise.then(
    () => {
      done = true;
    },
    () => {
      done = true;
    },
  );
  await vi.advanceTimersByTimeAsync(0);
  return done;
}

describe("run", () => {
  it("chases targets without being stepped, and ends with its signal", async () => {
    const { machine, balloon } = await running({ completion: { kind: "late", ms: 30 } });
    const abort = new AbortController();
    const run = balloon.run({ signal: abort.signal });
    machine.setTarget(300);
    await pass(machine, balloon, 200);
    expect(machine.heldPages).toBe(300);
    machine.setTarget(10);
    await pass(machine, balloon, 200);
    expect(machine.heldPages).toBe(10);
    expect(await settled(run)).toBe(false);
    abort.abort();
    expect(await settled(run)).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
    expect(balloon.status().state).toBe("running");
    machine.check();
    expect(machine.verdicts).toEqual([]);
  });

  it("finds a new target though the interrupt got lost", async () => {
    const { machine, balloon } = await running();
    const abort = new AbortController();
    const run = balloon.run({ signal: abort.signal });
    machine.setTarget(50);
    for (let passed = 0; passed < 2000; passed += 10) {
      machine.advance(10);
      await vi.advanceTimersByTimeAsync(10);
    }
    expect(machine.heldPages).toBe(50);
    abort.abort();
    await run;
  });

  it("does nothing for a signal that was aborted before", async () => {
    const { machine, balloon } = await running();
    const before = machine.trace.last;
    await balloon.run({ signal: AbortSignal.abort() });
    expect(machine.trace.last).toBe(before);
  });

  it("sleeps when there is nothing to do", async () => {
    const { machine, balloon } = await running();
    const abort = new AbortController();
    const run = balloon.run({ signal: abort.signal });
    const before = machine.trace.last;
    await pass(machine, balloon, 60_000);
    // Two reads a second: the status, and num_pages.
    expect(machine.trace.last - before).toBeLessThanOrEqual(2 * 61);
    abort.abort();
    await run;
  });

  it("ends when the balloon is stopped", async () => {
    const { machine, balloon } = await running();
    const run = balloon.run({ signal: new AbortController().signal });
    machine.setTarget(300);
    await pass(machine, balloon, 50);
    await balloon.stop();
    expect(await settled(run)).toBe(true);
    expect(balloon.counts()).toMatchObject({ held: 0, free: FRAMES });
    expect(balloon.status().state).toBe("stopped");
    expect(machine.status).toBe(0);
    expect(machine.verdicts).toEqual([]);
  });
});

describe("suspend", () => {
  it("lets run sleep without a timer, and resume goes back to the target", async () => {
    const { machine, balloon } = await running();
    const abort = new AbortController();
    const run = balloon.run({ signal: abort.signal });
    machine.setTarget(300);
    await pass(machine, balloon, 50);
    const policy = balloon.status().policy;
    balloon.setReserve(7);
    await balloon.suspend();
    await pass(machine, balloon, 5000);
    expect(balloon.status()).toMatchObject({ state: "suspended", policy, reservePages: 7 });
    expect(balloon.counts()).toMatchObject({ held: 0, free: FRAMES });
    expect([machine.status, vi.getTimerCount()]).toEqual([0, 0]);
    expect(await settled(run)).toBe(false);
    machine.setTarget(40);
    await balloon.resume();
    await pass(machine, balloon, 50);
    expect(machine.heldPages).toBe(40);
    abort.abort();
    expect(await settled(run)).toBe(true);
    expect(machine.check()).toEqual([]);
  });

  it("is over at once when resumed amid its reset", async () => {
    const { machine, balloon } = await running();
    machine.setTarget(300);
    balloon.interrupt();
    machine.inject({ name: "reset-slow", times: 5 });
    const suspended = balloon.suspend();
    const resumed = balloon.resume();
    await pass(machine, balloon, 100);
    await Promise.all([suspended, resumed]);
    expect(balloon.status().state).toBe("running");
    expect(machine.heldPages).toBe(300);
  });

  it("ends in a stop, and a stop does not end in a resume", async () => {
    const { balloon } = await running();
    await balloon.suspend();
    await balloon.stop();
    await balloon.suspend();
    await balloon.resume();
    expect(balloon.status().state).toBe("stopped");
  });

  it("says so when there is nothing to resume any more", async () => {
    const { machine, balloon } = await running();
    await balloon.suspend();
    machine.unplug();
    const error = balloon.resume().catch((thrown: BallonetError) => thrown);
    await vi.advanceTimersByTimeAsync(5000);
    expect(await error).toMatchObject({ code: "device-gone" });
    expect(balloon.status().state).toBe("gone");
  });
});

describe("a device that is taken out", () => {
  it("ends run; another one is attached and reaches the target", async () => {
    const { machine, balloon } = await running();
    const { signal } = new AbortController();
    const run = balloon.run({ signal });
    machine.setTarget(300);
    await pass(machine, balloon, 50);
    machine.unplug();
    await pass(machine, balloon, 1500);
    expect(await settled(run)).toBe(true);
    expect(balloon.status()).toMatchObject({ state: "gone", lastError: { code: "device-gone" } });
    expect(balloon.counts().free).toBe(FRAMES);
    await expect(balloon.attach()).rejects.toMatchObject({ code: "no-device" });
    machine.plug();
    await balloon.attach();
    void balloon.run({ signal });
    await pass(machine, balloon, 50);
    expect([machine.heldPages, machine.actual]).toEqual([300, 300]);
    await balloon.attach();
    expect(machine.heldPages).toBe(300);
    expect(machine.check()).toEqual([]);
    await balloon.stop();
  });

  it("leaves its messages to the next one: a target is reached by interrupts alone", async () => {
    const { machine, balloon } = await running({ vectors: 4 });
    for (const pages of [300, 700, 100]) {
      machine.takeMessages();
      machine.setTarget(pages);
      expect(machine.takeMessages()).toEqual([0]);
      expect(balloon.interrupt(1)).toBe(true);
      expect(machine.heldPages).toBe(pages);
      machine.unplug();
      balloon.detach();
      machine.plug();
      await balloon.attach();
      expect(balloon.status().interrupts).toBe("msix");
    }
    expect(machine.verdicts).toEqual([]);
  });

  it("in order: suspended, taken out, no error", async () => {
    const { machine, balloon } = await running();
    machine.setTarget(300);
    balloon.interrupt();
    await balloon.suspend();
    balloon.detach();
    machine.unplug();
    expect(balloon.status()).toMatchObject({ state: "gone", transport: "none" });
    expect(balloon.status().lastError).toBeUndefined();
    machine.plug();
    await balloon.attach();
    expect(machine.heldPages).toBe(300);
  });
});

describe("an interrupt amid the driver's own access", () => {
  it("is taken up after it: a target is reached by interrupts alone", async () => {
    const { machine, balloon } = await running();
    const answers: boolean[] = [];
    machine.onInterrupt = () => {
      answers.push(balloon.interrupt());
    };
    for (const pages of [700, 3, 0]) {
      machine.setTarget(pages);
      expect(machine.heldPages).toBe(pages);
      expect(machine.actual).toBe(pages);
    }
    expect(answers.length).toBeGreaterThan(3);
    expect(answers).not.toContain(false);
    expect(machine.check()).toEqual([]);
  });
});

describe("a Hal that calls amid an access of the driver's", () => {
  /** A balloon of 300 pages, and its machine, which calls `amid` at its next notification. */
  async function calling(amid: (balloon: Balloon, machine: Machine) => unknown) {
    const { machine, balloon } = await running();
    machine.setTarget(300);
    balloon.interrupt();
    machine.setTarget(700);
    machine.onInterrupt = () => {
      machine.onInterrupt = undefined;
      expect(balloon.status().state).toBe("running");
      amid(balloon, machine);
      expect(balloon.status().state).toBe("running");
    };
    balloon.interrupt();
    return { machine, balloon };
  }

  it("has its device let go after the step", async () => {
    const { machine, balloon } = await calling((it, itsMachine) => {
      itsMachine.unplug();
      it.detach();
    });
    expect(balloon.status()).toMatchObject({ state: "gone", transport: "none" });
    expect(balloon.counts()).toMatchObject({ free: FRAMES });
    machine.plug();
    await balloon.attach();
    expect(machine.heldPages).toBe(700);
    expect(machine.check()).toEqual([]);
  });

  it("stops it after the step", async () => {
    const promises: Promise<void>[] = [];
    const { machine, balloon } = await calling((it) => promises.push(it.stop()));
    await Promise.all(promises);
    expect(balloon.status().state).toBe("stopped");
    expect(balloon.counts()).toMatchObject({ free: FRAMES });
    expect(machine.check()).toEqual([]);
  });

  it("suspends and resumes it after the step", async () => {
    const promises: Promise<void>[] = [];
    const { machine, balloon } = await calling((it) => {
      promises.push(it.suspend(), it.resume(), it.suspend());
    });
    await Promise.all(promises);
    expect(balloon.status().state).toBe("suspended");
    expect(balloon.counts()).toMatchObject({ free: FRAMES });
    await balloon.resume();
    expect(machine.heldPages).toBe(700);
    expect(machine.check()).toEqual([]);
  });
});

describe("stop", () => {
  it("may be asked for twice, and takes no more steps afterwards", async () => {
    const { machine, balloon } = await running();
    await balloon.stop();
    const before = machine.trace.last;
    await balloon.stop();
    expect(balloon.step()).toBeUndefined();
    expect(machine.trace.last).toBe(before);
    expect(balloon.allocate(1)?.length).toBe(1);
  });

  it("takes back at once what a device never answered for", async () => {
    const { machine, balloon } = await running({ profile: "libkrun" });
    machine.setTarget(500);
    balloon.interrupt();
    expect(balloon.counts().inflating).toBe(500);
    await balloon.stop();
    expect(balloon.counts()).toMatchObject({ inflating: 0, free: FRAMES });
  });

  it("waits for a slow reset", async () => {
    const { machine, balloon } = await running();
    machine.inject({ name: "reset-slow", times: 5 });
    const stop = balloon.stop();
    expect(await settled(stop)).toBe(false);
    await vi.advanceTimersByTimeAsync(50);
    expect(await settled(stop)).toBe(true);
    await stop;
    expect(balloon.status().state).toBe("stopped");
  });

  it("says so when the reset never ends, and keeps what the device may still use", async () => {
    const { machine, balloon } = await running();
    machine.setTarget(100);
    balloon.interrupt();
    machine.inject({ name: "reset-never-clears" });
    const stop = balloon.stop().catch((error: BallonetError) => error);
    await vi.advanceTimersByTimeAsync(5000);
    const error = (await stop) as BallonetError;
    expect(error.code).toBe("reset-timeout");
    expect(error.seen).toMatch(/1000 polls/);
    expect(error.todo).toMatch(/lost/);
    expect(balloon.counts().held).toBe(100);
  });

  it("is what disposing does", async () => {
    const { machine, balloon } = await running();
    await balloon[Symbol.asyncDispose]();
    expect(balloon.status().state).toBe("stopped");
    expect(machine.status).toBe(0);
  });
});

describe("a signal", () => {
  const reason = new Error("enough");
  const stuck = { name: "reset-slow", times: 5 } as const;

  it("that was aborted before leaves the balloon as it is", async () => {
    const { machine, balloon } = await running();
    const signal = AbortSignal.abort(reason);
    await expect(balloon.stop({ signal })).rejects.toBe(reason);
    await expect(balloon.suspend({ signal })).rejects.toBe(reason);
    expect(balloon.status().state).toBe("running");
    await balloon.suspend();
    await expect(balloon.resume({ signal })).rejects.toBe(reason);
    expect(balloon.status().state).toBe("suspended");
    await balloon.resume();
    balloon.detach();
    await expect(balloon.attach({ signal })).rejects.toBe(reason);
    expect(balloon.status().state).toBe("gone");
    expect(machine.check()).toEqual([]);
  });

  it.each(["stop", "suspend"] as const)("ends the wait for %s; the reset goes on", async (name) => {
    const { machine, balloon } = await running();
    machine.setTarget(300);
    balloon.interrupt();
    machine.inject(stuck);
    const abort = new AbortController();
    const halt = balloon[name]({ signal: abort.signal });
    abort.abort(reason);
    await expect(halt).rejects.toBe(reason);
    expect(vi.getTimerCount()).toBe(0);
    expect(balloon.status().state).toBe("stopping");
    const again = balloon[name]();
    await vi.advanceTimersByTimeAsync(50);
    await again;
    expect(balloon.counts()).toMatchObject({ held: 0, free: FRAMES });
    expect(machine.check()).toEqual([]);
  });

  it("ends the wait for resume and attach; the target is reached all the same", async () => {
    const { machine, balloon } = await running();
    machine.setTarget(300);
    balloon.interrupt();
    const run = balloon.run({ signal: new AbortController().signal });
    await balloon.suspend();
    machine.inject(stuck);
    const abort = new AbortController();
    const resume = balloon.resume({ signal: abort.signal });
    abort.abort(reason);
    await expect(resume).rejects.toBe(reason);
    expect(balloon.status().state).toBe("starting");
    await pass(machine, balloon, 200);
    expect(machine.heldPages).toBe(300);

    balloon.detach();
    await run;
    machine.inject(stuck);
    const second = new AbortController();
    const attach = balloon.attach({ signal: second.signal });
    second.abort(reason);
    await expect(attach).rejects.toBe(reason);
    expect(balloon.status().state).toBe("starting");
    const again = balloon.attach();
    await pass(machine, balloon, 200);
    await again;
    expect(balloon.status().state).toBe("running");
    expect(machine.heldPages).toBe(300);
  });
});

describe("interrupts", () => {
  it("of another device are not ours", async () => {
    const { machine, balloon } = await running();
    machine.spuriousInterrupt();
    const before = machine.trace.last;
    expect(balloon.interrupt()).toBe(false);
    // One read of the ISR status and nothing else.
    expect(machine.trace.last - before).toBe(1);
    machine.setTarget(1);
    // The new target, then the buffer that came back inside the notification.
    expect([1, 2, 3].map(() => balloon.interrupt())).toEqual([true, true, false]);
    expect(machine.heldPages).toBe(1);
  });
});

describe("frames for the guest", () => {
  it("come and go", async () => {
    const { balloon, options } = await running();
    const run = balloon.allocate(10);
    if (run === undefined) throw new Error("there are free frames");
    expect(balloon.counts()).toMatchObject({ used: run.length, free: FRAMES - run.length });
    expect(frameBytes(options.memory, run.first)).toHaveLength(PAGE);
    expect(frameBytes(options.memory, run.first).byteOffset).toBe(run.first * PAGE);
    balloon.release(run);
    expect(balloon.counts()).toMatchObject({ used: 0, free: FRAMES });
  });

  it.each([0, -1, 1.5, Number.NaN, 2 ** 33])("not %d of them", async (most) => {
    const { balloon } = await running();
    expect(() => balloon.allocate(most)).toThrow(
      expect.objectContaining({ code: "memory", seen: String(most) }),
    );
  });

  it.each([
    { first: 1, length: 1 },
    { first: 0, length: 1 },
    { first: 1, length: 0 },
    { first: -1, length: 2 },
    { first: FRAMES, length: 2 },
    { first: 2 ** 32, length: 1 },
    { first: 1.5, length: 1 },
  ])("are not taken back when they are not the guest's: $first, $length", async (run) => {
    const { balloon } = await running();
    expect(() => balloon.release(run)).toThrow(
      expect.objectContaining({ code: "memory", todo: expect.stringContaining("that state") }),
    );
    expect(balloon.counts()).toMatchObject({ used: 0, free: FRAMES });
  });

  it("are not released twice, nor one frame too many", async () => {
    const { balloon } = await running();
    const run = balloon.allocate(4);
    if (run === undefined) throw new Error("there are free frames");
    expect(() => balloon.release({ ...run, length: run.length + 1 })).toThrow("not all used");
    balloon.release(run);
    expect(() => balloon.release(run)).toThrow("not all used");
  });

  it("come to a guest program in wasm as numbers", async () => {
    const { balloon } = await running({ offer: { deflateOnOom: false } });
    const { allocate, run, release } = balloon.guestImports;
    const first = allocate(FRAMES);
    const length = run();
    expect(balloon.counts().used).toBe(length);
    let got = length;
    while (allocate(FRAMES) !== -1) got += run();
    expect(got).toBe(FRAMES);
    expect(run()).toBe(0);
    release(first, length);
    expect(balloon.counts().free).toBe(length);
  });
});
