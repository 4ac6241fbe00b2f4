/**
 * The suite on the reference device, in this process: the configurations in which all that it can
 * check is there, and one run on each build of the device.
 */
import type { HostAnswer, HostRequest } from "../../../runtime/check/bench.ts";
import { type CheckResult, runSuite, type SuiteOptions } from "../../../runtime/check/suite.ts";
import type { createMachine, Machine, MachineOptions } from "../../../src/device/index.ts";
import { SLOT_WORD } from "../../support/vm.ts";

/** What makes a machine: the device of the sources, or a mutant's. */
export type CreateMachine = typeof createMachine;

const AREA = { start: 0x10_0000, bytes: 0x10_0000 } as const;
const MEMORY_BYTES = 0x40_0000;

const everything = {
  freePageHint: true,
  pagePoison: true,
  pageReporting: true,
  ringReset: true,
} as const;

/** The strict device as it is on each bus, with all features that a check needs. */
export const configurations = {
  pci: { offer: everything, vectors: 3 },
  "pci, packed": { offer: { packed: true, inOrder: true, notificationData: true }, vectors: 2 },
  "pci, as it comes": {},
  "pci, transitional": { transport: "transitional", offer: { notifyOnEmpty: true } },
  mmio: { offer: everything, transport: "mmio" },
} as const satisfies Record<string, Omit<MachineOptions, "memory">>;

export type ConfigurationName = keyof typeof configurations;

/** Does on a reference machine what a check asks of its host. */
function answer(machine: Machine, request: HostRequest): HostAnswer | undefined {
  switch (request.do) {
    case "target":
      machine.setTarget(request.pages);
      return {};
    case "ask-statistics":
      return machine.requestStats() ? {} : undefined;
    case "statistics":
      return {
        tags: Object.fromEntries(
          [...machine.stats.sample].map(([tag, value]) => [tag, `${value}`]),
        ),
      };
    case "hint":
      return machine.startHinting() === undefined ? undefined : {};
    case "hint-done":
      machine.finishHinting();
      return {};
  }
}

/** Runs the suite, or the checks named, on one machine. */
export function runOn(
  create: CreateMachine,
  options: Omit<MachineOptions, "memory">,
  only?: readonly string[],
  /** What its host does. Default: all that a check may ask for. */
  does: (request: HostRequest) => boolean = () => true,
): readonly CheckResult[] {
  return runSuite({
    ...suiteOptions(create, options, does),
    ...(only !== undefined && { only }),
  });
}

/** One machine with the device, as a suite takes it. */
export function suiteOptions(
  create: CreateMachine,
  options: Omit<MachineOptions, "memory">,
  does: (request: HostRequest) => boolean = () => true,
): SuiteOptions {
  const buffer = new ArrayBuffer(MEMORY_BYTES);
  const view = new DataView(buffer);
  const machine = create({ ...options, memory: { buffer }, traceLimit: 16 });
  const memory = {
    read: (at: number, width: 1 | 2 | 4) => {
      if (width === 1) return view.getUint8(at);
      return width === 2 ? view.getUint16(at, true) : view.getUint32(at, true);
    },
    write: (at: number, width: 1 | 2 | 4, value: number) => {
      if (width === 1) view.setUint8(at, value);
      else if (width === 2) view.setUint16(at, value, true);
      else view.setUint32(at, value, true);
    },
  };
  const { hal } = machine;
  // The suite takes messages anew in each check; a driver would take them once.
  const messages = hal.interrupts?.allocate(2);
  return {
    hal: messages === undefined ? hal : { ...hal, interrupts: { allocate: () => messages } },
    memory,
    area: AREA,
    pass: (ms) => {
      machine.advance(ms, { atRest: false });
      machine.run({ atRest: false });
    },
    host: { ask: (request) => (does(request) ? answer(machine, request) : undefined) },
    takeMessages: () => machine.takeMessages(),
    ...(options.transport === "mmio" && { commandLine: SLOT_WORD }),
  };
}
