/** What callers get wrong is refused in one line that names what was meant. */
import { describe, expect, it } from "vitest";
import { createDevice, createMachine, type MachineOptions } from "../../../../src/device/index.ts";
import { rig } from "../drivers/raw-driver.ts";

const memory = new WebAssembly.Memory({ initial: 1 });

const WRONG: readonly (readonly [object | undefined, string])[] = [
  [undefined, "createMachine: seen nothing; do give an object"],
  [{}, "memory: seen undefined; do give a WebAssembly.Memory, or what else has the guest's memory"],
  [
    { memory: 4 },
    "memory: seen 4; do give a WebAssembly.Memory, or what else has the guest's memory",
  ],
  [
    { memory, transprt: "mmio" },
    "createMachine: seen the option transprt; do did you mean transport?",
  ],
  [
    { memory, onMapping: 1 },
    "createMachine: seen the option onMapping; do name one of memory, profile",
  ],
  [
    { memory, transport: "virtio-mmio" },
    'transport: seen "virtio-mmio"; do name one of modern, legacy',
  ],
  [{ memory, transport: "mmoi" }, 'transport: seen "mmoi"; do name one of modern'],
  [{ memory, profile: "qemo" }, 'profile: seen "qemo"; do did you mean qemu?'],
  [{ memory, profile: 3 }, "profile: seen 3; do name one of strict, qemu"],
  [{ memory, waive: ["D-9"] }, 'waive: seen "D-9"; do did you mean D9?'],
  [{ memory, faults: [{ name: "gonne" }] }, 'fault: seen "gonne"; do did you mean gone?'],
  [{ memory, faults: ["gone"] }, 'fault: seen "gone"; do give an object'],
  [
    { memory, faults: [{ name: "gone", time: 2 }] },
    "fault: seen the option time; do did you mean times?",
  ],
  [{ memory, completion: "late" }, 'completion: seen "late"; do give { kind: "late" }'],
  [{ memory, completion: { kind: "later" } }, 'completion: seen "later"; do did you mean late?'],
  [{ memory, completion: { kind: "late" } }, "completion: seen ms undefined; do give milliseconds"],
  [
    { memory, completion: { stats: { kind: "never" } } },
    "completion: seen the option stats; do name one",
  ],
  [
    { memory, completion: { inflate: { kind: "batched", ms: 1 } } },
    "completion: seen count undefined",
  ],
  [
    { memory, offer: { mustTelHost: true } },
    "offer: seen the option mustTelHost; do did you mean mustTellHost?",
  ],
  [{ memory, pci: { bar: [] } }, "pci: seen the option bar; do did you mean bars?"],
  [{ memory, mmio: { adress: 1 } }, "mmio: seen the option adress; do name one of base"],
  [{ memory, queueNumbering: "compact" }, 'queueNumbering: seen "compact"; do name one of fixed'],
  [{ memory, usedLength: "one" }, 'usedLength: seen "one"; do did you mean ones?'],
  [{ memory, subject: "kernel" }, 'subject: seen "kernel"; do name one of driver, system'],
  [{ memory, hostDesign: "plan" }, "hostDesign: seen plan; do did you mean plain?"],
];

describe("createMachine and createDevice", () => {
  it.each(WRONG)("refuse %j", (options, said) => {
    const make = () => createMachine(options as MachineOptions);
    expect(make).toThrow(expect.objectContaining({ code: "machine-option" }));
    expect(make).toThrow(said);
    const device = () => createDevice(options as MachineOptions);
    if (!said.includes("onMapping")) expect(device).toThrow(said.replace("Machine:", "Device:"));
  });

  it("refuse interrupts that nobody knows", () => {
    const interrupts = { onIrq: () => {} } as object;
    expect(() => createDevice({ memory, interrupts })).toThrow(
      "interrupts: seen the option onIrq; do name one of onLine, onMessage, onVector",
    );
  });
});

describe("time", () => {
  it.each([Number.NaN, Number.POSITIVE_INFINITY, -1, undefined, "5"])(
    "does not pass by %s milliseconds",
    (ms) => {
      const { machine } = rig();
      machine.advance(2);
      expect(() => machine.advance(ms as number)).toThrow(`advance: seen ${ms} ms`);
      expect(machine.nowMs).toBe(2);
      machine.advance(0);
      machine.advance(0.5);
      expect(machine.nowMs).toBe(2.5);
    },
  );
});

it("a fault that nobody knows is not armed", () => {
  expect(() => rig().machine.inject({ name: "hangs" } as never)).toThrow('fault: seen "hangs"');
});
