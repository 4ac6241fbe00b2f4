/**
 * Refuses options that nobody knows, for callers without types: a misspelt one would be ignored in
 * silence.
 */

import type { DeviceInterrupts, DeviceOptions } from "./device-options.ts";
import { MachineOptionError } from "./errors.ts";
import { OFFER_NAMES } from "./host/offer.ts";
import type { MmioLayout, PciLayout } from "./host/profile.ts";
import { profiles } from "./host/profiles.ts";
import type { HostOptions } from "./host-options.ts";
import type { MachineOptions } from "./machine-options.ts";
import { nameOneOf } from "./nearest.ts";
import { faults } from "./sim/faults.ts";
import { rules } from "./spec/rules.ts";
import { TRANSPORTS } from "./virtio/bus.ts";

type Names<T> = Readonly<Record<keyof T, true>>;

const HOST: Names<HostOptions> = {
  memory: true,
  profile: true,
  transport: true,
  vectors: true,
  ringSize: true,
  queueNumbering: true,
  usedLength: true,
  pci: true,
  mmio: true,
  incoming: true,
  adoptOffer: true,
  faults: true,
  subject: true,
  postedWrites: true,
  judging: true,
  waive: true,
  traceLimit: true,
  accessMs: true,
  frames: true,
  offer: true,
  hostVersion: true,
  hostDesign: true,
  strangeQueues: true,
  completion: true,
  quietWhileBusy: true,
  inOrderBatches: true,
  canary: true,
  seed: true,
  staleActual: true,
};
const MACHINE: Names<MachineOptions> = { ...HOST, messages: true };
const DEVICE: Names<DeviceOptions> = { ...HOST, interrupts: true, onMapping: true };
const INTERRUPTS: Names<DeviceInterrupts> = { onLine: true, onMessage: true, onVector: true };
const PCI: Names<PciLayout> = {
  deviceId: true,
  revision: true,
  subsystemId: true,
  classCode: true,
  bus: true,
  device: true,
  function: true,
  command: true,
  bars: true,
  caps: true,
  notifyMultiplier: true,
  window: true,
  decoys: true,
  legacy: true,
  msix: true,
};
const MMIO: Names<MmioLayout> = { base: true, bytes: true, decoys: true, queueReset: true };
const FAULT = { name: true, queue: true, after: true, times: true };

const COMPLETIONS = ["immediate", "late", "batched", "shuffled", "scattered", "never"];
const COMPLETION_QUEUES = ["inflate", "deflate", "freePage", "reporting"];
const NUMBERINGS = ["fixed", "compact-offered", "compact-negotiated"];
const USED_LENGTHS = ["zero", "total", "pfns", "ones"];

/** @throws MachineOptionError when something in the options of a machine has no meaning. */
export function judgeMachineOptions(options: MachineOptions): void {
  judge("createMachine", options, MACHINE);
}

/** @throws MachineOptionError when something in the options of a device has no meaning. */
export function judgeDeviceOptions(options: DeviceOptions): void {
  judge("createDevice", options, DEVICE);
  judgeNames("interrupts", options.interrupts, INTERRUPTS);
}

/** @throws MachineOptionError when a fault or a member of it has no meaning. */
export function judgeFault(fault: unknown): void {
  judgeNames("fault", fault, FAULT);
  const names = faults.map(({ name }) => name);
  judgeValue("fault", Object(fault).name, names);
}

function judge(what: string, options: HostOptions, known: object): void {
  if (options === undefined) throw new MachineOptionError(what, "nothing", "give an object");
  judgeNames(what, options, known);
  const { memory, profile, transport, queueNumbering, usedLength, subject, completion } = options;
  if (typeof memory !== "function" && (typeof memory !== "object" || memory === null)) {
    const todo = "give a WebAssembly.Memory, or what else has the guest's memory";
    throw new MachineOptionError("memory", show(memory), todo);
  }
  if (typeof profile !== "object") judgeValue("profile", profile, Object.keys(profiles));
  judgeValue("transport", transport, TRANSPORTS);
  judgeValue("queueNumbering", queueNumbering, NUMBERINGS);
  judgeValue("usedLength", usedLength, USED_LENGTHS);
  judgeValue("subject", subject, ["driver", "system"]);
  judgeNames("offer", options.offer, Object.fromEntries(OFFER_NAMES.map((name) => [name, true])));
  judgeNames("pci", options.pci, PCI);
  judgeNames("mmio", options.mmio, MMIO);
  judgeCompletion(completion);
  const ids = rules.map(({ id }) => id);
  for (const id of options.waive ?? []) judgeValue("waive", id, ids);
  for (const fault of options.faults ?? []) judgeFault(fault);
}

function judgeCompletion(completion: HostOptions["completion"]): void {
  if (completion === undefined) return;
  const given: object = Object(completion);
  if (typeof completion === "object" && !("kind" in given)) {
    judgeNames(
      "completion",
      given,
      Object.fromEntries(COMPLETION_QUEUES.map((one) => [one, true])),
    );
    for (const one of Object.values(given)) judgeKind(one);
  } else judgeKind(completion);
}

function judgeKind(one: unknown): void {
  if (one === undefined) return;
  const { kind, ms, count } = Object(one);
  judgeValue("completion", typeof one === "object" ? kind : one, COMPLETIONS);
  if (typeof one !== "object") {
    throw new MachineOptionError("completion", show(one), `give { kind: ${show(one)} }`);
  }
  const timed = kind !== "immediate" && kind !== "never";
  if (timed && !(Number.isFinite(ms) && ms >= 0)) {
    throw new MachineOptionError("completion", `ms ${show(ms)}`, "give milliseconds of 0 or more");
  }
  if (kind === "batched" && !(Number.isInteger(count) && count > 0)) {
    const todo = "give a whole number of buffers above 0";
    throw new MachineOptionError("completion", `count ${show(count)}`, todo);
  }
}

/** Judges that an object has no other members than these. */
function judgeNames(what: string, given: unknown, known: object): void {
  if (given === undefined) return;
  if (typeof given !== "object" || given === null) {
    throw new MachineOptionError(what, show(given), "give an object");
  }
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(known, name)) continue;
    throw new MachineOptionError(what, `the option ${name}`, nameOneOf(name, Object.keys(known)));
  }
}

function judgeValue(what: string, given: unknown, known: readonly string[]): void {
  if (given === undefined && what !== "fault") return;
  if (typeof given === "string" && known.includes(given)) return;
  throw new MachineOptionError(what, show(given), nameOneOf(String(given), known));
}

function show(value: unknown): string {
  return typeof value === "string" ? `"${value}"` : String(value);
}
