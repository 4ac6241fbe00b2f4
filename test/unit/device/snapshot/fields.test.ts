/**
 * What moves with a guest: that no field of any part was forgotten, and that nothing of it is
 * needless.
 *
 * Invariant: each field that a part has either moves or stands here as its host's own.
 */
import { describe, expect, it } from "vitest";
import { createMachine, type MachineOptions } from "../../../../src/device/index.ts";
import { Machine } from "../../../../src/device/machine.ts";
import { MOVES, type Moving, type PartKind } from "../../../../src/device/snapshot/fields.ts";

/** Fields that are the same on the other host, or its own: wiring, options, counts, judgement. */
const STAYS: Record<PartKind, readonly string[]> = {
  virtio: [
    ...["context", "options", "queues", "bringUp", "kicks", "faults", "wiring", "onInterrupt"],
    ...["type", "notifications", "interrupts"],
  ],
  bringUp: ["context"],
  // The state of ring and completions is moved by a getter and a setter of each.
  queue: [...["context", "options", "exits", "faults", "servant", "ring", "completions"]],
  balloon: [
    ...["context", "habits", "configBytes", "pages", "frames", "offered", "parts", "actualWatch"],
  ],
  actual: ["context"],
  pages: ["garbage"],
  garbage: ["memory", "on"],
  stats: ["context", "served", "bits", "samples", "requests", "overflow"],
  hinting: [...["context", "habits", "lending", "garbage", "faults", "configChanged", "counted"]],
  reporting: ["context", "lending", "garbage", "poison", "usedLength", "counted"],
  lending: ["context", "pages", "own", "poison", "frames"],
  poison: ["context", "garbage"],
  messages: ["context", "capacity"],
  pciBus: ["context", "absentMemory", "functions"],
  pciFunction: ["bus", "device", "number", "decoy", "bars", "regions", "mask", "watch"],
  common: ["context", "virtio", "vectors", "lowAddressesOnly", "fields"],
  guard: ["context", "virtio"],
  vectors: ["context", "virtio", "table"],
  msixTable: ["context", "table", "pendingBits", "entries", "send"],
  legacyQueues: ["context", "virtio", "absentRule"],
  legacyMmioQueues: ["context", "virtio", "queues", "fields"],
  mmioQueues: ["context", "virtio", "hasReset", "fields"],
  mmio: ["context", "virtio", "make", "queues", "control", "config"],
  mmioSlot: ["context", "base", "face"],
};

const MACHINES: readonly Omit<MachineOptions, "memory">[] = [
  { vectors: 2 },
  { transport: "legacy" },
  { transport: "transitional", vectors: 2 },
  { transport: "mmio" },
  { transport: "legacy-mmio" },
];

/** The table of a machine's parts. */
function movingOf(options: Omit<MachineOptions, "memory">): Moving {
  const memory = new WebAssembly.Memory({ initial: 64 });
  const machine = createMachine({ ...options, memory });
  expect(machine).toBeInstanceOf(Machine);
  return Reflect.get(Reflect.get(machine, "parts"), "context").moving as Moving;
}

describe.each(MACHINES)("%j", (options) => {
  const { parts } = movingOf(options);

  it.each([...parts])("%s: every field moves or stays", (_name, { kind, owner }) => {
    const own = Object.keys(owner);
    const known = [...MOVES[kind], ...STAYS[kind]];
    expect(own.filter((field) => !known.includes(field))).toEqual([]);
    // What moves without being a field of its own has a getter and a setter.
    const accessors = MOVES[kind].filter((field) => !own.includes(field));
    for (const field of accessors) {
      const made = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(owner), field);
      expect([field, typeof made?.get, typeof made?.set]).toEqual([field, "function", "function"]);
    }
    expect(STAYS[kind].filter((field) => !own.includes(field))).toEqual([]);
  });
});

it("every kind of part is in some machine", () => {
  const kinds = MACHINES.flatMap((options) => [...movingOf(options).parts.values()]);
  const seen = new Set(kinds.map(({ kind }) => kind));
  expect(Object.keys(MOVES).filter((kind) => !seen.has(kind as PartKind))).toEqual([]);
});
