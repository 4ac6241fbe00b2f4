/**
 * What moves with a guest: no field of any class is forgotten, neither by `save` nor by `load`.
 *
 * The test walks from a machine to every object that it is made of, and watches which fields `save`
 * reads and `load` touches. Each other field stands in a table below.
 */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createMachine, type Machine, type MachineOptions } from "../../../../src/device/index.ts";

/** Fields that do not move, by class: wiring, options, counts, and what the load itself makes. */
const STAYS: Readonly<Record<string, readonly string[]>> = {
  ActualCheck: ["context"],
  BalloonDevice: [
    ...[
      "context",
      "profile",
      "options",
      "offered",
      "reachBytes",
      "handlers",
      "memory",
      "configBytes",
    ],
    // In the list of parts.
    ...["stats", "poison", "freePages", "hinting", "reporting", "balloon"],
  ],
  BringUpCheck: ["context"],
  CommonConfig: ["context", "virtio", "vectors", "lowAddressesOnly", "fields"],
  CompletionQueue: ["context", "schedule", "finish"],
  Virtqueue: ["context", "options", "owner", "faults", "handler"],
  CanaryFill: ["memory", "on"],
  Hinting: ["context", "parts", "counted"],
  InflateDeflate: ["context", "parts", "pages", "named"],
  LockedMemory: [
    ...["context", "design", "pages", "frames", "counted", "kept", "points", "open"],
    // Follow from the features that were accepted.
    ...["mayUnlock", "mustTellFirst", "maySilence"],
  ],
  PageOwnership: ["canary"],
  InterfaceLock: ["context", "virtio"],
  LegacyMmioQueues: ["context", "virtio", "fields"],
  LegacyQueues: ["context", "virtio", "absentRule"],
  FreePageRanges: ["context", "parts", "named"],
  InterruptMessages: ["context", "capacity"],
  MmioQueues: ["context", "virtio", "hasReset", "fields"],
  MmioSlot: ["context", "base", "registers"],
  MsixTable: ["context", "table", "pendingBits", "ways"],
  PackedRing: ["context", "layout"],
  PageSet: [],
  PciBus: ["context", "absentMemory", "functions", "parts"],
  PciFunction: [
    "bus",
    "device",
    "number",
    "decoy",
    "bars",
    "regions",
    "mask",
    "watch",
    "onMapping",
  ],
  PoisonCheck: ["context", "canary"],
  Reporting: ["context", "parts", "counted"],
  SplitRing: ["context", "layout"],
  Statistics: ["context", "served", "bits", "samples", "requests"],
  MsixVectors: ["context", "virtio", "table"],
  VirtioDevice: [
    ...["context", "options", "queues", "kicks", "faults", "hooks", "signal", "type"],
    ...["notifications", "interrupts", "life", "haltedMs"],
  ],
  VirtioMmio: ["context", "virtio", "make", "control", "config"],
};

/** Classes of which nothing moves by `save`, and why. */
const STAYING_CLASSES: Readonly<Record<string, string>> = {
  AccessStore: "where the memory is",
  BalloonHost: "the host itself",
  BufferStore: "where the memory is",
  CapabilityList: "made from options",
  Clock: "in the stream's header, and work is planned anew by what is loaded",
  QueuePages: "remembers an answer within one turn of the clock",
  Device: "the host itself",
  DriverSignal: "the host's own",
  DriverLife: "what this host saw of the driver",
  FaultInjector: "the host's own",
  GuestMemory: "its pages are in the stream",
  Judge: "the host's own",
  KickCheck: "counts of the host",
  LegacyHeader: "holds parts that move",
  Machine: "the host itself",
  MmioBus: "holds parts that move",
  MmioWindow: "holds parts that move",
  ModernInterface: "holds parts that move",
  PageNotes: "numbers of entries of this host's trace",
  PciWindow: "holds parts that move",
  PollCheck: "a run of reads starts anew",
  Random: "the host's own",
  RegisterMaker: "has no state",
  RegisterBlocks: "has no state",
  Tally: "the host's own",
  Trace: "the host's own",
};

const MACHINES: readonly Omit<MachineOptions, "memory">[] = [
  { vectors: 2 },
  { transport: "legacy" },
  { transport: "transitional", vectors: 2 },
  { transport: "mmio" },
  { transport: "legacy-mmio" },
];

type Saved = object & { save(): unknown; load(...state: unknown[]): unknown };

function machineOf(options: Omit<MachineOptions, "memory">, incoming?: Uint8Array): Machine {
  const memory = new WebAssembly.Memory({ initial: 64 });
  const machine = createMachine({ ...options, memory, ...(incoming && { incoming }) });
  if (incoming === undefined) openRings(machine);
  return machine;
}

/** Both kinds of ring are in use. */
function openRings(machine: Machine): void {
  const { virtio } = Reflect.get(machine, "device");
  for (const [index, packed] of [false, true].entries()) {
    Object.assign(virtio.queues[index], { size: 8, descAddress: 0x1000, driverAddress: 0x2000 });
    virtio.queues[index].deviceAddress = 0x3000 + index * 0x1000;
    virtio.queues[index].packed = packed;
    const features = { notifyOnEmpty: false, eventIdx: false, indirect: false, inOrder: false };
    virtio.queues[index].enable({ packed, ...features });
  }
}

/** Every class of the sources, whether or not a walk along fields finds an object of it. */
const CLASSES = readdirSync("src/device", { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .flatMap((path) => [...readFileSync(`src/device/${path}`, "utf8").matchAll(/\bclass (\w+)/g)])
  .map(([, name]) => name as string)
  .filter((name) => !name.endsWith("Error"));

/** All objects of classes that a machine leads to by fields. */
function objectsOf(machine: Machine): object[] {
  const seen = new Set<object>();
  const walk = (value: unknown) => {
    if (typeof value !== "object" || value === null || seen.has(value)) return;
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return;
    seen.add(value);
    const inside =
      value instanceof Map || value instanceof Set ? [...value].flat() : Object.values(value);
    for (const one of inside) walk(one);
  };
  walk(machine);
  const plain = [Object.prototype, Array.prototype, Map.prototype, Set.prototype];
  return [...seen].filter((one) => !plain.includes(Object.getPrototypeOf(one)));
}

const isSaved = (one: object): one is Saved => "save" in one && "load" in one;
const classOf = (one: object) => one.constructor.name;

/** What `save` named last, by class. */
const SAVED_NAMES = new Map<string, readonly string[]>();

/** A state as `save` named it: a stream leaves out what is undefined. */
function complete(owner: Saved, [state, ...rest]: unknown[]): unknown[] {
  if (typeof state !== "object" || state === null || Array.isArray(state)) return [state, ...rest];
  const names = SAVED_NAMES.get(classOf(owner)) ?? [];
  const absent = Object.fromEntries(names.map((name) => [name, undefined]));
  return [{ ...absent, ...state }, ...rest];
}

/** Runs `act` and returns the fields that the methods called `method` used meanwhile, by class. */
function watched(
  objects: readonly Saved[],
  method: "save" | "load",
  act: () => void,
): Map<string, Set<string>> {
  const used = new Map<string, Set<string>>();
  const watch = (owner: Saved) => {
    const fields = used.get(classOf(owner)) ?? new Set();
    used.set(classOf(owner), fields);
    const note = (field: string | symbol) => {
      if (typeof field === "string") fields.add(field);
    };
    return new Proxy(owner, {
      get: (target, field, receiver) => {
        note(field);
        return Reflect.get(target, field, receiver);
      },
      set: (target, field, value) => {
        note(field);
        return Reflect.set(target, field, value);
      },
    });
  };
  const classes = new Set(objects.map((one): Saved => Object.getPrototypeOf(one)));
  const originals = [...classes].map((made) => ({ made, original: made[method] }));
  for (const { made, original } of originals) {
    made[method] = function (this: Saved, ...state: unknown[]) {
      if (method === "load") return original.apply(watch(this), complete(this, state) as []);
      const saved = original.apply(watch(this), state as []);
      SAVED_NAMES.set(classOf(this), Object.keys(Object(saved)));
      return saved;
    };
  }
  try {
    act();
  } finally {
    for (const { made, original } of originals) made[method] = original;
  }
  return used;
}

describe.each(MACHINES)("%j", (options) => {
  const machine = machineOf(options);
  const objects = objectsOf(machine);
  const saved = objects.filter(isSaved);
  let stream = new Uint8Array();
  const bySave = watched(saved, "save", () => {
    stream = new Uint8Array(machine.save());
  });
  const byLoad = watched(saved, "load", () => {
    machineOf(options, stream);
  });

  it.each([...new Map(saved.map((one) => [classOf(one), one]))])(
    "%s: every field moves or stays",
    (name, one) => {
      const stays = STAYS[name] ?? [];
      const moves = Object.keys(one).filter((field) => !stays.includes(field));
      expect(stays.filter((field) => !Object.keys(one).includes(field))).toEqual([]);
      expect(moves.filter((field) => !bySave.get(name)?.has(field))).toEqual([]);
      expect(moves.filter((field) => !byLoad.get(name)?.has(field))).toEqual([]);
    },
  );
});

it("every class saves its state, or is known to have none that moves", () => {
  const known = [...Object.keys(STAYS), ...Object.keys(STAYING_CLASSES)];
  expect(CLASSES.filter((name) => !known.includes(name))).toEqual([]);
  expect(known.filter((name) => !CLASSES.includes(name))).toEqual([]);
});

it("every class that saves its state is in some machine", () => {
  const seen = MACHINES.flatMap((options) => objectsOf(machineOf(options)).filter(isSaved));
  const names = new Set(seen.map(classOf));
  expect(Object.keys(STAYS).filter((name) => !names.has(name))).toEqual([]);
});
