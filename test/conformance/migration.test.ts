/**
 * Migration between two reference hosts: what moves, what is checked, and what the driver does.
 *
 * The guest's memory is wiped between save and load, so the stream alone carries it.
 */
import { describe, expect, it } from "vitest";
import {
  createMachine,
  type HostVersion,
  IncomingStreamError,
  type Machine,
  type MachineOptions,
} from "../../src/device/index.ts";
import type { SettingsInput } from "../../src/index.ts";
import { ReferenceVm, type ReferenceVmOptions } from "../../src/lab/vm/reference-vm.ts";
import { importPatched, patchFiles } from "../support/patched.ts";
import { partsIn } from "../support/snapshots.ts";
import { coreModule, SLOT_WORD } from "../support/vm.ts";

const FRAMES = 2048;
const TARGET = 1000;

type Host = Omit<MachineOptions, "memory" | "incoming">;

const LATE: Host = { completion: { kind: "late", ms: 20 } };

interface Start extends Partial<Pick<ReferenceVmOptions, "discover">> {
  readonly settings?: SettingsInput;
  /** Another build of the driver than that of the sources: a mutant's. */
  readonly build?: typeof ReferenceVm;
}

function start(
  host: Host,
  { settings = {}, discover, build = ReferenceVm }: Start = {},
): Promise<ReferenceVm> {
  return build.create({
    frames: FRAMES,
    settings,
    core: coreModule,
    ...(discover && { discover }),
    machine: (memory) => createMachine({ ...host, memory }),
  });
}

function move(vm: ReferenceVm, host: Host): Machine {
  const source = vm.machine;
  vm.migrate((memory, incoming) => createMachine({ ...host, memory, incoming }));
  const [there, here] = partsIn(vm.machine.save(), source.save());
  expect(there).toEqual(here);
  return source;
}

/** Rules broken on either machine. */
const broken = (...machines: readonly Machine[]) =>
  machines.flatMap(({ verdicts }) => verdicts.map(({ rule, seen }) => `${rule} ${seen}`));

/** The guest goes on: to targets up and down, with all of its data. */
function goesOn(vm: ReferenceVm): void {
  for (const target of [700, 0, TARGET, 300]) {
    vm.machine.setTarget(target);
    vm.settle();
    expect(vm.machine.heldPages).toBe(target);
    expect(vm.machine.actual).toBe(target);
  }
  expect(vm.machine.requestStats()).toBe(vm.balloon.status().negotiated.includes("STATS_VQ"));
  vm.settle();
  expect(vm.guest.damaged()).toEqual([]);
  vm.machine.check();
}

const bySlot: Start = { discover: { commandLine: SLOT_WORD } };

/** Every way to the device and every kind of ring. */
const WAYS: readonly (readonly [string, Host, Start])[] = [
  ["modern PCI", {}, {}],
  ["modern PCI, messages", { vectors: 4 }, {}],
  ["legacy PCI", { transport: "legacy" }, {}],
  ["transitional PCI", { transport: "transitional" }, { discover: { prefer: "legacy" } }],
  ["MMIO", { transport: "mmio" }, bySlot],
  ["legacy MMIO", { transport: "legacy-mmio" }, bySlot],
  ["packed rings", { offer: { packed: true } }, {}],
  ["buffers in order", { offer: { inOrder: true } }, {}],
  ["packed, in order", { offer: { packed: true, inOrder: true, eventIdx: false } }, {}],
  ["queues numbered without holes", { queueNumbering: "compact-negotiated" }, {}],
];

describe.each(WAYS)("%s", (_way, way, options) => {
  it("at rest: the balloon and all data are there, and the guest goes on", async () => {
    const vm = await start(way, options);
    vm.guest.grow(500, 1);
    vm.machine.setTarget(TARGET);
    vm.settle();
    const source = move(vm, way);
    expect(vm.machine).not.toBe(source);
    expect(vm.machine.heldPages).toBe(TARGET);
    expect(vm.machine.actual).toBe(TARGET);
    expect(vm.guest.damaged()).toEqual([]);
    goesOn(vm);
    expect(broken(source, vm.machine)).toEqual([]);
  });

  it("amid inflating and deflating: what is in flight is answered by the other host", async () => {
    const host = { ...way, ...LATE };
    const vm = await start(host, options);
    vm.guest.grow(500, 1);
    const sources: Machine[] = [];
    for (const target of [TARGET, 100, 800]) {
      vm.machine.setTarget(target);
      vm.deliver();
      vm.balloon.step();
      const { inflatingPages, deflatingPages } = vm.machine;
      expect(inflatingPages + deflatingPages).toBeGreaterThan(0);
      sources.push(move(vm, host));
      expect(vm.machine).toMatchObject({ inflatingPages, deflatingPages });
      expect(vm.machine.target).toBe(target);
      vm.settle();
      expect(vm.machine.heldPages).toBe(target);
    }
    goesOn(vm);
    expect(broken(...sources, vm.machine)).toEqual([]);
  });
});

describe("the schedules of buffers on their way", () => {
  it.each<NonNullable<Host["completion"]>>([
    { kind: "late", ms: 40 },
    { kind: "batched", count: 3, ms: 40 },
    { kind: "shuffled", ms: 40 },
    { kind: "scattered", ms: 40 },
  ])("%j moves with them", async (completion) => {
    const vm = await start({ completion });
    vm.machine.setTarget(TARGET);
    vm.balloon.interrupt();
    vm.machine.advance(10);
    const dueMs = vm.machine.nowMs + 40;
    move(vm, { completion: { kind: "never" } });
    expect(vm.machine.nowMs).toBeLessThan(dueMs);
    vm.machine.advance(40);
    vm.deliver();
    expect(vm.machine.heldPages).toBe(TARGET);
    expect(broken(vm.machine)).toEqual([]);
  });
});

describe("free pages", () => {
  it("hints and reports in flight are answered by the other host", async () => {
    const offer = { freePageHint: true, pageReporting: true };
    const host: Host = { offer, completion: { freePage: late(20), reporting: late(20) } };
    const vm = await start(host);
    vm.guest.grow(500, 1);
    expect(vm.machine.startHinting()).toBeDefined();
    vm.deliver();
    const { hintedPages, hinting } = vm.machine;
    expect(hintedPages + vm.machine.reportedPages.inFlight).toBeGreaterThan(0);
    move(vm, host);
    expect(vm.machine.hintedPages).toBe(hintedPages);
    expect(vm.machine.hinting.id).toBe(hinting.id);
    vm.settle();
    vm.machine.finishHinting();
    vm.settle();
    expect(vm.machine.reportedPages.inFlight).toBe(0);
    expect(vm.guest.damaged()).toEqual([]);
    vm.machine.check();
    expect(broken(vm.machine)).toEqual([]);
  });
});

function late(ms: number) {
  return { kind: "late", ms } as const;
}

const OOM_OFF: Host = { offer: { deflateOnOom: false } };

describe("what a host checks", () => {
  async function inflated(host: Host, options?: Start): Promise<ReferenceVm> {
    const vm = await start(host, options);
    vm.guest.grow(500, 1);
    vm.machine.setTarget(TARGET);
    vm.settle();
    return vm;
  }

  function refusal(vm: ReferenceVm, host: Host): IncomingStreamError {
    const source = vm.machine;
    try {
      move(vm, host);
    } catch (error) {
      expect(vm.machine).toBe(source);
      if (error instanceof IncomingStreamError) return error;
      throw error;
    }
    throw new Error("the guest was taken");
  }

  it("an accepted feature that it lacks: it says which, and the guest goes on at home", async () => {
    const vm = await inflated({});
    const error = refusal(vm, OOM_OFF);
    expect(error.missing).toEqual(["DEFLATE_ON_OOM"]);
    expect(error.seen).toMatch(
      /^Features 0x1[0-9a-f]+ unsupported. Allowed features: 0x1[0-9a-f]+; missing: DEFLATE_ON_OOM$/,
    );
    goesOn(vm);
    expect(broken(vm.machine)).toEqual([]);
  });

  it("a feature that was offered and not accepted is none of its business", async () => {
    const vm = await inflated({ offer: { pagePoison: true } });
    move(vm, {});
    goesOn(vm);
    expect(broken(vm.machine)).toEqual([]);
  });

  it("a host that has more takes the guest, which goes on with what it has", async () => {
    const vm = await inflated(OOM_OFF);
    const { negotiated } = vm.balloon.status();
    move(vm, { offer: { pageReporting: true, freePageHint: true } });
    goesOn(vm);
    expect(vm.balloon.status().negotiated).toBe(negotiated);
    expect(broken(vm.machine)).toEqual([]);
  });

  it("the offer may be taken over with the guest", async () => {
    const vm = await inflated({});
    const { offered } = vm.machine;
    move(vm, { ...OOM_OFF, adoptOffer: true });
    expect(vm.machine.offered).toBe(offered);
    goesOn(vm);
    expect(broken(vm.machine)).toEqual([]);
  });

  it.each<[string, Host, RegExp]>([
    ["another way to the device", { transport: "legacy" }, /by modern.*by legacy/],
    ["other memory", { frames: 2047 }, /2047/],
  ])("%s", async (_what, host, message) => {
    const vm = await inflated({});
    expect(refusal(vm, host).message).toMatch(message);
    goesOn(vm);
  });

  it("queues that are numbered otherwise", async () => {
    const offer = { freePageHint: true, pageReporting: true };
    const compact: Host = { queueNumbering: "compact-offered" };
    const vm = await inflated(
      { ...compact, offer },
      { settings: { persona: "freebsd", mustTellHost: "accept" } },
    );
    move(vm, compact);
    goesOn(vm);
    const other = await inflated({ ...compact, offer: { pageReporting: true } });
    const message = refusal(other, { ...compact, offer }).message;
    expect(message).toMatch(/queue 3 as its reporting/);
  });

  it("what is no stream, one of another version, and one that was cut short", async () => {
    const vm = await inflated({});
    const stream = vm.machine.save();
    const load = (incoming: Uint8Array) => () => createMachine({ memory: vm.memory, incoming });
    expect(load(new Uint8Array(10))).toThrow(IncomingStreamError);
    expect(load(stream.slice(0, -1))).toThrow(/in the middle of/);
    const newer = stream.slice();
    newer[8] = 3;
    expect(load(newer)).toThrow(/version 3/);
    expect(Buffer.compare(vm.machine.save(), stream)).toBe(0);
  });
});

describe("versions of the host", () => {
  const everything = {
    freePageHint: true,
    pagePoison: true,
    pageReporting: true,
    packed: true,
    inOrder: true,
    notificationData: true,
    ringReset: true,
  };
  const host = (hostVersion: HostVersion): Host => ({ hostVersion, offer: everything });

  it.each<[HostVersion, string]>([
    ["1.0", "MUST_TELL_HOST STATS_VQ INDIRECT_DESC EVENT_IDX VERSION_1"],
    [
      "2.0",
      "MUST_TELL_HOST STATS_VQ DEFLATE_ON_OOM INDIRECT_DESC EVENT_IDX VERSION_1 IN_ORDER " +
        "NOTIFICATION_DATA",
    ],
  ])("%s switches off what came later", async (version, negotiated) => {
    const vm = await start(host(version));
    expect(vm.balloon.status().negotiated).toBe(negotiated);
  });

  it("a guest of an old version goes to a newer host that is told to be old, and back", async () => {
    const vm = await start(host("1.0"));
    vm.guest.grow(500, 1);
    vm.machine.setTarget(TARGET);
    vm.settle();
    const { offered } = vm.machine;
    for (let there = 0; there < 3; there += 1) {
      move(vm, host("1.0"));
      expect(vm.machine.offered).toBe(offered);
      goesOn(vm);
      expect(broken(vm.machine)).toEqual([]);
    }
  });

  it("from old to new always, from new to old not once it uses what is new", async () => {
    const vm = await start(host("1.0"));
    move(vm, host("4.0"));
    goesOn(vm);
    move(vm, host("1.0"));
    goesOn(vm);
    const young = await start(host("4.0"));
    expect(() => move(young, host("2.0"))).toThrow(/missing: .*RING_PACKED/);
  });
});

const PAUSE_MS = 500;

/** The guest reads the features, is migrated, and accepts. */
async function threeSteps(from: Host, to: Host, options: Start = {}): Promise<ReferenceVm> {
  const settings = { ...options.settings, pauseAfterFeaturesMs: PAUSE_MS };
  const vm = await start(from, { ...options, settings });
  expect(vm.balloon.status().state).toBe("starting");
  expect(vm.machine.negotiated).toBe(0n);
  expect(log(vm)).toContain(`features are read; accepting in ${PAUSE_MS} ms`);
  move(vm, to);
  expect(vm.balloon.status().state).toBe("starting");
  while (vm.balloon.status().state === "starting") {
    vm.machine.advance(1);
    vm.balloon.step();
  }
  return vm;
}

const log = ({ machine }: ReferenceVm) =>
  machine.trace
    .entries()
    .filter(({ kind }) => kind === "log")
    .map(({ what }) => what)
    .join("\n");

const resets = ({ machine }: ReferenceVm) =>
  machine.trace.entries().filter(({ kind, what }) => kind === "host" && what === "reset").length;

describe.each<[string, Host]>([
  ["modern", {}],
  ["legacy", { transport: "legacy" }],
])("the three steps, %s", (_interface, way) => {
  const all = "MUST_TELL_HOST STATS_VQ DEFLATE_ON_OOM";
  const without = "MUST_TELL_HOST STATS_VQ";
  const balloonBits = (vm: ReferenceVm) =>
    vm.balloon.status().negotiated.replace(/ (ANY_LAYOUT|INDIRECT_DESC|EVENT_IDX|VERSION_1)/g, "");

  it("to an equal host: it goes on as if nothing had been", async () => {
    const vm = await threeSteps(way, way);
    expect(balloonBits(vm)).toBe(all);
    expect(resets(vm)).toBe(0);
    goesOn(vm);
    expect(broken(vm.machine)).toEqual([]);
  });

  it("to one that lacks a bit: it reads the features again, and says so", async () => {
    const vm = await threeSteps(way, { ...way, ...OOM_OFF });
    expect(balloonBits(vm)).toBe(without);
    expect(resets(vm)).toBe(1);
    const said = way.transport === "legacy" ? "no longer offers" : "refused";
    expect(log(vm)).toMatch(new RegExp(`warn: the device ${said} .*DEFLATE_ON_OOM.*read again`));
    // Nothing is given up but what is not there: the ladder begins anew with the new offer.
    expect(vm.balloon.status().negotiated).toMatch(/EVENT_IDX/);
    goesOn(vm);
    expect(broken(vm.machine)).toEqual([]);
  });

  it("to one that has more: what was read is what counts", async () => {
    const vm = await threeSteps({ ...way, ...OOM_OFF }, way);
    expect(balloonBits(vm)).toBe(without);
    expect(resets(vm)).toBe(0);
    goesOn(vm);
    expect(broken(vm.machine)).toEqual([]);
  });

  it("to one that lacks a bit and takes the offer over: it goes on", async () => {
    const vm = await threeSteps(way, { ...way, ...OOM_OFF, adoptOffer: true });
    expect(balloonBits(vm)).toBe(all);
    expect(resets(vm)).toBe(0);
    goesOn(vm);
    expect(broken(vm.machine)).toEqual([]);
  });

  it("and there is nothing to check when it moves: nothing is accepted yet", async () => {
    const bare = { ...way, offer: { statsVq: false, mustTellHost: false, deflateOnOom: false } };
    const vm = await threeSteps(way, bare);
    expect(vm.balloon.status().negotiated).not.toMatch(/STATS_VQ|MUST_TELL_HOST|DEFLATE_ON_OOM/);
    goesOn(vm);
    expect(broken(vm.machine)).toEqual([]);
  });
});

describe("a driver that does not look again after accepting over the older interface", () => {
  const patch = {
    file: "runtime/virtio/bring-up.ts",
    find: 'return { ...state, name: transport.isLegacy ? "check-offer" : "set-features-ok" };',
    replace:
      'if (transport.isLegacy) return { name: "queues", negotiation: state.wanted };' +
      'return { ...state, name: "set-features-ok" };',
  };

  it("believes in a feature that its host does not have", async () => {
    const entry = 'export { ReferenceVm } from "./src/lab/vm/reference-vm.ts";';
    const built = await importPatched<{ ReferenceVm: typeof ReferenceVm }>(
      entry,
      patchFiles([patch]),
    );
    const legacy: Host = { transport: "legacy" };
    const options = { build: built.ReferenceVm };
    const vm = await threeSteps(legacy, { ...legacy, ...OOM_OFF }, options);
    const deflateOnOom = 1n << 2n;
    expect(vm.balloon.status().negotiated).toContain("DEFLATE_ON_OOM");
    expect(vm.machine.negotiated & deflateOnOom).toBe(0n);
  });
});
