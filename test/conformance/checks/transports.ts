/**
 * Every way from a driver to the reference device, and every way in which the device interrupts:
 * what a machine needs for each, and how the driver is to be seen on it.
 *
 * A way that a driver can choose is chosen here, so that what it says of itself can be held against
 * it.
 */
import { type MachineOptions, profiles } from "../../../src/device/index.ts";
import type { TestVmOptions } from "../../support/vm.ts";

export interface TransportWay {
  readonly machine: Pick<MachineOptions, "transport" | "profile">;
  readonly discover?: TestVmOptions["discover"];
  /** How the driver's name for it begins. */
  readonly says: string;
  /** 32 feature bits and no FEATURES_OK. */
  readonly isLegacy: boolean;
  /** Whether registers lie in memory; else they are I/O ports. */
  readonly inMemory: boolean;
  readonly isPci: boolean;
}

const { strict, v86, firecracker } = profiles;
const modern = { says: "modern PCI at ", isLegacy: false, isPci: true } as const;
const legacy = { says: "legacy PCI at ", isLegacy: true, inMemory: false, isPci: true } as const;

export const transports = {
  "modern, I/O BARs": {
    ...modern,
    machine: { profile: { ...strict, pci: v86.pci } },
    inMemory: false,
  },
  "modern, a memory BAR above 4 GiB": {
    ...modern,
    machine: { profile: { ...strict, pci: firecracker.pci } },
    inMemory: true,
  },
  legacy: { ...legacy, machine: { transport: "legacy" } },
  "transitional, modern preferred": {
    ...modern,
    machine: { transport: "transitional" },
    discover: { prefer: "modern" },
    inMemory: true,
  },
  "transitional, legacy preferred": {
    ...legacy,
    machine: { transport: "transitional" },
    discover: { prefer: "legacy" },
  },
  "MMIO version 2": {
    machine: { transport: "mmio" },
    says: "MMIO at ",
    isLegacy: false,
    inMemory: true,
    isPci: false,
  },
  "MMIO version 1": {
    machine: { transport: "legacy-mmio" },
    says: "legacy MMIO at ",
    isLegacy: true,
    inMemory: true,
    isPci: false,
  },
} as const satisfies Record<string, TransportWay>;

export type TransportName = keyof typeof transports;

export interface InterruptWay {
  /** MSI-X vectors that the device has. */
  readonly vectors: number;
  readonly choice: "best" | "polling";
  readonly kind: "msix" | "line" | "polling";
  /** Whether every queue has a vector of its own; else they share one. */
  readonly isOneEach: boolean;
}

/** Five queues and the configuration. */
const VECTORS_ENOUGH = 6;

export const interrupts = {
  "MSI-X, a vector a queue": {
    vectors: VECTORS_ENOUGH,
    choice: "best",
    kind: "msix",
    isOneEach: true,
  },
  "MSI-X, shared vectors": { vectors: 2, choice: "best", kind: "msix", isOneEach: false },
  line: { vectors: 0, choice: "best", kind: "line", isOneEach: false },
  polling: { vectors: VECTORS_ENOUGH, choice: "polling", kind: "polling", isOneEach: false },
} as const satisfies Record<string, InterruptWay>;

export type InterruptName = keyof typeof interrupts;
