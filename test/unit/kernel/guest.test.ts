/** The guest on a strict machine: bring-up, the methods, the workload, shortages, and its ends. */
import { describe, expect, it } from "vitest";
import type { DriverStatus } from "../../../runtime/balloon/status.ts";
import { FRAME_STATES, frameCounts } from "../../../runtime/core/exports.ts";
import { EXIT } from "../../../runtime/kernel/exit-codes.ts";
import { Guest, guestHal } from "../../../runtime/kernel/guest.ts";
import { RPC_ERROR } from "../../../runtime/kernel/json-rpc-server.ts";
import { FAULT } from "../../../runtime/kernel/machine.ts";
import { FakeChipset } from "../../support/fake-chipset.ts";
import { Exited, FakeMachine, type FakeMachineOptions } from "../../support/fake-machine.ts";

const PAGE = 4096;
/** Rounds after which a guest that still has something to do is stuck. */
const ROUNDS_MAX = 2000;

/** Boots a guest; `settle` lets guest and device work until both wait for somebody else. */
function booted(options: FakeMachineOptions = {}, machine = new FakeMachine(options)) {
  const guest = new Guest(machine);
  let next = guest.start();
  const settle = (): void => {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const worked = machine.device?.run() ?? 0;
      const { asking } = machine;
      const isBusy = worked > 0 || asking !== 0 || machine.device?.interruptPending;
      if (!isBusy && next > machine.now()) return;
      next = guest.wake(asking);
    }
    throw new Error("the guest never comes to rest");
  };
  let id = 0;
  const call = (method: string, params: object = {}) => {
    machine.send(`${JSON.stringify({ jsonrpc: "2.0", id: ++id, method, params })}\n`);
    next = guest.wake(1 << 3);
    settle();
    const reply = machine.replies.at(-1) ?? {};
    expect(reply.id).toBe(id);
    return reply as { result: never; error?: { code: number; message: string; data?: unknown } };
  };
  const status = () => call("status").result as DriverStatus & { workloadFrames: number };
  settle();
  return { machine, guest, call, settle, status };
}

function exitOf(options: FakeMachineOptions): { code: number; log: string[] } {
  const machine = new FakeMachine(options);
  try {
    new Guest(machine).start();
  } catch (error) {
    if (error instanceof Exited) return { code: error.exitCode, log: machine.log };
    throw error;
  }
  throw new Error("the guest went on");
}

describe("ends", () => {
  it("without a balloon", () => {
    const { code, log } = exitOf({ device: false });
    expect(code).toBe(EXIT.noBalloon);
    expect(log).toHaveLength(1);
    expect(log[0]).toMatch(/^ballonet: error: .*balloon/);
  });

  it("without a balloon, and says that the program was not run", () => {
    const { code, log } = exitOf({ device: false, hasProgram: true });
    expect(code).toBe(EXIT.noBalloon);
    expect(log).toEqual([
      expect.stringMatching(/^ballonet: error: .*balloon/),
      "ballonet: the program was not run, because the guest cannot start",
    ]);
  });

  it.each([1, 2, 3])("with %i MiB of memory", (mebibytes) => {
    const { code, log } = exitOf({ ramBytes: mebibytes * 1024 * 1024 });
    expect(code).toBe(EXIT.tooLittleMemory);
    expect(log).toEqual([
      expect.stringContaining(`${mebibytes * 1024 * 1024} bytes are available`),
    ]);
  });

  it("with a command line that makes no sense", () => {
    const { code, log } = exitOf({ commandLine: "ballonet.pace=3" });
    expect(code).toBe(EXIT.badCommandLine);
    expect(log).toEqual([expect.stringContaining('"ballonet.pace=3"')]);
  });

  it("with a command line that the boot code had to cut", () => {
    expect(exitOf({ commandLine: `${"é".repeat(2048)}x`, device: false })).toEqual({
      code: EXIT.badCommandLine,
      log: ["ballonet: error: command line: seen 4097 bytes; do stay within 4096 bytes"],
    });
    expect(exitOf({ commandLine: "é".repeat(2048), device: false }).code).toBe(EXIT.noBalloon);
  });
});

describe("the balloon", () => {
  it("is brought up, follows targets, and breaks no rule", () => {
    const { machine, settle, status } = booted();
    expect(machine.log[0]).toMatch(/^ballonet: ready: .*VERSION_1/);
    for (const pages of [1000, 2500, 100, 0]) {
      machine.device?.setTarget(pages);
      settle();
      expect(machine.device?.actual).toBe(pages);
      expect(status()).toMatchObject({ targetPages: pages, actualPages: pages });
    }
    expect(machine.device?.verdicts).toEqual([]);
  });

  it("gives pages back when the workload lacks them, where that was negotiated", () => {
    const { machine, call, settle, status } = booted();
    const { free } = status().frames;
    machine.device?.setTarget(free - 300);
    settle();
    const offered = status().negotiated.includes("DEFLATE_ON_OOM");
    const answer = call("workload.allocate", { frames: 1000, seed: 1 });
    expect(answer.error === undefined).toBe(offered);
    expect(machine.device?.verdicts).toEqual([]);
    expect(call("workload.verify").result).toMatchObject({ mismatches: 0 });
  });

  it.each([
    { answer: { kind: "late", ms: 30 }, isGiven: true },
    { answer: { kind: "never" }, isGiven: false },
  ] as const)("pages that are being reported are waited for: $answer", ({ answer, isGiven }) => {
    const offer = { pageReporting: true, deflateOnOom: false };
    const machine = new FakeMachine({ device: { offer, completion: { reporting: answer } } });
    const guest = new Guest(machine);
    guest.start();
    const { free, reporting } = frameCounts(machine.core);
    expect(reporting).toBeGreaterThan(0);
    const params = { frames: free + reporting, seed: 1 };
    const request = { jsonrpc: "2.0", id: 1, method: "workload.allocate", params };
    machine.send(`${JSON.stringify(request)}\n`);
    guest.wake(1 << 3);
    expect("result" in (machine.replies[0] ?? {})).toBe(isGiven);
    expect(machine.now()).toBeLessThan(1000);
    expect(machine.device?.verdicts).toEqual([]);
  });
});

describe("a program that holds memory", () => {
  it("is asked for it before a target is out of reach: its caches, then its garbage", () => {
    const machine = new FakeMachine({ device: {}, hasProgram: true, offers: 8 * 4096 });
    const guest = new Guest(machine);
    const settle = () => {
      for (let turn = 0; turn < 50; turn++) guest.wake(0);
    };
    guest.start();
    const { free } = frameCounts(machine.core);
    machine.device?.setTarget(free);
    settle();
    expect(machine.toProgram).toEqual([{ press: expect.any(Number) }]);
    expect(machine.collections).toBe(0);
    machine.waitForInterrupt(machine.now() + 200);
    settle();
    expect(machine.collections).toBe(1);
    expect(machine.device?.verdicts).toEqual([]);
  });

  it.each([
    { deflateOnOom: true, pages: 1000 },
    { deflateOnOom: false, pages: 0 },
  ])("gets pages back from the balloon where the host allows it: $deflateOnOom", (row) => {
    const { deflateOnOom, pages } = row;
    const machine = new FakeMachine({ device: { offer: { deflateOnOom } }, hasProgram: true });
    const guest = new Guest(machine);
    guest.start();
    machine.device?.setTarget(frameCounts(machine.core).free - 512);
    for (let turn = 0; turn < 50; turn++) guest.wake(0);
    const before = frameCounts(machine.core).free;
    machine.fromProgram.push(JSON.stringify({ shortage: before + pages }));
    guest.wake(0);
    const gained = frameCounts(machine.core).free - before;
    expect(gained).toBeGreaterThanOrEqual(pages);
    if (pages === 0) expect(gained).toBe(0);
    expect(machine.device?.verdicts).toEqual([]);
  });
});

it("messages are lines from 16 up, and none is handed out twice", () => {
  const address = 0xfee0_3000;
  const machine = new FakeMachine({ device: false, messageAddress: address });
  const { interrupts } = guestHal(machine);
  expect(interrupts?.allocate(2)).toEqual([
    { address, data: 0x30 },
    { address, data: 0x31 },
  ]);
  expect(interrupts?.allocate(14)).toBeUndefined();
  const data = interrupts?.allocate(13)?.map((message) => message.data);
  expect(data).toEqual(Array.from({ length: 13 }, (_, index) => 0x32 + index));
  expect(interrupts?.allocate(1)).toBeUndefined();
  expect([...machine.lines]).toEqual(Array.from({ length: 15 }, (_, index) => 16 + index));
  expect(guestHal(new FakeMachine({ device: false })).interrupts).toBeUndefined();
});

describe("suspend and resume", () => {
  it("give everything back, and go back to the target", () => {
    const { machine, call, settle, status } = booted();
    const { free } = status().frames;
    machine.device?.setTarget(700);
    settle();
    expect(call("suspend").result).toEqual({ state: "suspended" });
    expect(machine.device?.status).toBe(0);
    expect(status().frames).toMatchObject({ free, held: 0 });
    machine.device?.setTarget(20);
    settle();
    expect(machine.device?.heldPages).toBe(0);
    expect(call("resume").result).toEqual({ state: "running" });
    settle();
    expect(machine.device?.heldPages).toBe(20);
    expect(machine.device?.verdicts).toEqual([]);
  });
});

describe("plugging", () => {
  /** A guest whose host can plug; its device is in slot 4 of bus 0, of which `bus` is the name. */
  function pluggable(options: FakeMachineOptions = {}) {
    const chipset = new FakeChipset();
    const made = booted({ ...options, chipset });
    const device = made.machine.device as NonNullable<typeof made.machine.device>;
    const statuses: number[] = [];
    chipset.onEject = (bus, slot) => {
      statuses.push(device.status);
      if (bus === 0 && slot === 4) device.unplug();
    };
    return { ...made, chipset, device, statuses };
  }

  it("out and in: at rest first, then gone, then at the target again", () => {
    const { chipset, device, statuses, settle, status, machine } = pluggable();
    const { free } = status().frames;
    for (let round = 0; round < 3; round++) {
      device.setTarget(900);
      settle();
      expect(device.heldPages).toBe(900);
      chipset.want(0, 4);
      settle();
      expect(status()).toMatchObject({ state: "gone", frames: { free, held: 0 } });
      device.plug();
      chipset.filled();
      settle();
      expect(status()).toMatchObject({ state: "running", actualPages: 900 });
    }
    expect(chipset.ejected).toEqual(["0:4", "0:4", "0:4"]);
    expect(statuses).toEqual([0, 0, 0]);
    expect(machine.log.filter((line) => line.includes("is gone"))).toHaveLength(3);
    expect(device.verdicts).toEqual([]);
  });

  it("leaves the balloon alone when another slot is wanted", () => {
    const { chipset, device, statuses, settle } = pluggable();
    device.setTarget(900);
    settle();
    chipset.want(0, 5);
    chipset.want(1, 31);
    settle();
    expect(chipset.ejected).toEqual(["0:5", "1:31"]);
    expect(statuses.every((bits) => (bits & 4) !== 0)).toBe(true);
    expect(device.heldPages).toBe(900);
  });

  it("comes back when a slot of the same number was that of another bus", () => {
    const { chipset, device, call, settle, status } = pluggable();
    device.setTarget(900);
    settle();
    chipset.want(1, 4);
    settle();
    expect(chipset.ejected).toEqual(["1:4"]);
    expect(status()).toMatchObject({ state: "running", actualPages: 900, restarts: 0 });
    call("suspend");
    chipset.want(1, 4);
    settle();
    expect(status().state).toBe("suspended");
  });

  it("takes a device that came after one that went without a word", () => {
    const { chipset, device, settle, status, machine } = pluggable();
    device.setTarget(900);
    settle();
    device.unplug();
    machine.waitForInterrupt(machine.now() + 1000);
    settle();
    expect(status()).toMatchObject({ state: "gone", lastError: { code: "device-gone" } });
    device.plug();
    chipset.filled();
    settle();
    expect(status()).toMatchObject({ state: "running", actualPages: 900 });
  });

  it("waits for a first device where it was told to", () => {
    const options = { commandLine: "ballonet.wait-for-device=yes", chipset: new FakeChipset() };
    const machine = new FakeMachine(options);
    machine.device?.unplug();
    machine.device?.setTarget(50);
    const { settle, status } = booted(options, machine);
    expect(machine.log).toEqual(["ballonet: waiting for a balloon to be plugged in"]);
    expect(status()).toMatchObject({ state: "gone", transport: "none" });
    options.chipset.filled();
    settle();
    expect(status().state).toBe("gone");
    machine.device?.plug();
    options.chipset.filled();
    settle();
    expect(status()).toMatchObject({ state: "running", actualPages: 50 });
  });

  it.each([
    ["was not told to wait", { chipset: new FakeChipset() }],
    ["has no slots", { commandLine: "ballonet.wait-for-device=yes" }],
  ])("ends at once when it %s", (_why, options) => {
    expect(exitOf({ device: false, ...options }).code).toBe(EXIT.noBalloon);
  });

  it("the power button resets the device and ends the machine; nothing is told", () => {
    const { chipset, device, settle, status, machine } = pluggable();
    device.setTarget(900);
    settle();
    const { notifications } = status().totals;
    const before = device.counters.notifications;
    expect(before).toBe(notifications);
    chipset.pressPower();
    expect(settle).toThrow(expect.objectContaining({ exitCode: EXIT.powerOff }));
    expect(device.status).toBe(0);
    expect(device.counters.notifications).toBe(before);
    expect(machine.log.at(-1)).toMatch(/power button/);
  });
});

describe("the workload", () => {
  it("finds every byte that was changed behind its back", () => {
    const { machine, call, status } = booted();
    const first = call("workload.allocate", { frames: 3000, seed: 1 }).result as { handle: number };
    const second = call("workload.allocate", { frames: 5, seed: 2 }).result as { handle: number };
    expect(second.handle).not.toBe(first.handle);
    expect(status()).toMatchObject({ workloadFrames: 3005, frames: { used: 3005 } });
    expect(call("workload.verify").result).toEqual({ bytes: 3005 * PAGE, mismatches: 0 });
    const frame = usedFrame(machine);
    const bytes = new Uint8Array(machine.memory.buffer);
    for (const at of [0, 1, PAGE - 1]) bytes[frame * PAGE + at] = ~(bytes[frame * PAGE + at] ?? 0);
    expect(call("workload.verify").result).toEqual({ bytes: 3005 * PAGE, mismatches: 3 });
    expect(call("workload.free", first).result).toEqual({ frames: 3000 });
    expect(call("workload.free", first).error?.code).toBe(RPC_ERROR.params);
    expect(call("workload.verify", first).error?.code).toBe(RPC_ERROR.params);
    expect(call("workload.verify", second).result).toMatchObject({ bytes: 5 * PAGE });
    expect(status()).toMatchObject({ workloadFrames: 5, frames: { used: 5 } });
  });

  it("takes all or nothing", () => {
    const { call, status } = booted();
    const { free } = status().frames;
    const refused = call("workload.allocate", { frames: free + 1, seed: 1 });
    expect(refused.error).toMatchObject({ code: RPC_ERROR.refused, data: { available: free } });
    expect(status().frames).toMatchObject({ free, used: 0 });
    expect(call("workload.allocate", { frames: free, seed: 1 }).error).toBeUndefined();
    expect(status().frames).toMatchObject({ free: 0, used: free });
  });
});

function usedFrame(machine: FakeMachine): number {
  for (let frame = 256; frame < machine.core.ledger_frames(); frame++) {
    if (machine.core.ledger_state(frame) === 1) return frame;
  }
  throw new Error("no frame is in use");
}

describe("methods", () => {
  const WRONG: readonly [string, object][] = [
    ["status", { x: 1 }],
    ["workload.allocate", { frames: 0, seed: 0 }],
    ["workload.allocate", { frames: 1 }],
    ["workload.allocate", { frames: 1, seed: -1 }],
    ["workload.allocate", { frames: 2 ** 32, seed: 1 }],
    ["workload.verify", { handle: 0 }],
    ["ledger", { first: 0 }],
    ["workload.verify", { handle: 5 }],
    ["workload.free", {}],
    ["suspend", { ms: 1 }],
    ["resume", { ms: 1 }],
    ["policy.set", {}],
    ["policy.set", { name: "follow", options: null }],
    ["deflate.set", { mode: "never" }],
    ["reserve.set", { pages: 1.5 }],
    ["panic", {}],
    ["panic", { kind: "toString" }],
    ["evaluate", {}],
  ];

  it.each(WRONG)("%s refuses %j", (method, params) => {
    const { call, status } = booted();
    const before = status();
    expect(call(method, params).error).toMatchObject({ code: RPC_ERROR.params });
    const { totals, ...after } = status();
    expect({ ...after, totals, uptimeMs: 0 }).toEqual({ ...before, totals, uptimeMs: 0 });
  });

  it("ledger says where the states of all frames lie", () => {
    const { machine, call } = booted();
    call("workload.allocate", { frames: 77, seed: 1 });
    const { address, frames, bits, states } = call("ledger").result as {
      address: number;
      frames: number;
      bits: number;
      states: string[];
    };
    expect([bits, frames, states]).toEqual([4, machine.core.ledger_frames(), [...FRAME_STATES]]);
    const read = (pfn: number) =>
      (machine.memoryRead(address + (pfn >> 1), 1) >> (4 * (pfn & 1))) & 15;
    const all = Array.from({ length: frames }, (_, pfn) => pfn);
    expect(all.map(read)).toEqual(all.map((pfn) => machine.core.ledger_state(pfn)));
  });

  it("settings are changed, and a configuration that is not allowed is refused", () => {
    const { call, status } = booted();
    expect(call("policy.set", { name: "gentle", options: { pagesPerSecond: 5 } }).result).toEqual({
      policy: "gentle",
    });
    expect(call("policy.set", { name: "nobody" }).error?.code).toBe(RPC_ERROR.refused);
    expect(call("reserve.set", { pages: 9 }).result).toEqual({ pages: 9 });
    expect(status()).toMatchObject({ policy: "gentle", reservePages: 9 });
    const telling = status().negotiated.includes("MUST_TELL_HOST");
    const answer = call("deflate.set", { mode: "silent" });
    expect(answer.error?.code).toBe(telling ? RPC_ERROR.refused : undefined);
    expect(status().deflateMode).toBe(telling ? "tell-first" : "silent");
  });

  it("panic does what must not be done, or throws what nobody catches", () => {
    const { machine, call } = booted();
    for (const kind of Object.keys(FAULT)) call("panic", { kind });
    expect(machine.faults).toEqual(Object.values(FAULT));
    expect(() => call("panic", { kind: "error" })).toThrow("a deliberate error");
  });

  it("evaluate answers what JSON can carry", () => {
    const { call } = booted();
    expect(call("evaluate", { script: "({ a: [1, undefined], b: undefined })" }).result).toEqual({
      a: [1, null],
    });
    expect(call("evaluate", { script: "undefined" }).result).toBe(null);
    expect(call("evaluate", { script: "(() => 1)" }).result).toBe(null);
    const { error } = call("evaluate", { script: "throw new RangeError('far')" });
    expect(error).toMatchObject({ code: RPC_ERROR.refused, message: "the script failed" });
    expect(error?.data).toContain("RangeError: far");
  });
});
