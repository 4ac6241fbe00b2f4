/** The targets of the fuzzer: what takes foreign bytes, in C and in TypeScript. */
import { join } from "node:path";
import { packageFolder } from "../../src/package.ts";
import type { ScriptTarget } from "./script/run.ts";

const root = packageFolder();
export const BOOT = join(root, "runtime/kernel/boot");
const PROGRAMS = join(root, "test/fuzz/c");

/** C with a program around it, under libFuzzer. */
export interface CTarget {
  /** C files, besides the program. */
  readonly sources: readonly string[];
  /** Whether core.wasm is converted to C and is one of them. */
  readonly hasCore?: boolean;
  readonly program: string;
  /** Bytes of an input, at most. */
  readonly inputBytesMax: number;
}

export type Target = { readonly text: string } & (CTarget | ScriptTarget);

export const TARGETS = {
  core: {
    text: "the core as shipped, as C, against a device that writes anything into its rings",
    sources: [],
    hasCore: true,
    program: join(PROGRAMS, "core.c"),
    inputBytesMax: 512,
  },
  loader: {
    text: "start information of PVH, Multiboot 1 and 2 and Linux, command line, memory map",
    sources: [join(BOOT, "loader.c"), join(BOOT, "regions.c")],
    program: join(PROGRAMS, "loader.c"),
    inputBytesMax: 2048,
  },
  acpi: {
    text: "ACPI's tables, as the boot code finds them",
    sources: [join(BOOT, "platform/acpi.c")],
    program: join(PROGRAMS, "acpi.c"),
    inputBytesMax: 1024,
  },
  madt: {
    text: "I/O APICs by ACPI's table MADT, as the boot code connects lines to them",
    sources: [join(BOOT, "platform/acpi.c")],
    program: join(PROGRAMS, "madt.c"),
    inputBytesMax: 512,
  },
  device: {
    text: "a device's registers: configuration space, capability lists, bring-up, turns",
    script: "device.ts",
    covers: ["runtime/balloon", "runtime/pci", "runtime/virtio", "runtime/policy"],
    inputBytesMax: 2048,
  },
  tables: {
    text: "ACPI's tables, as the driver reads them: devices, bridges, the power button",
    script: "tables.ts",
    covers: ["runtime/acpi", "runtime/pci/acpi-mcfg.ts", "runtime/pci/described.ts"],
    inputBytesMax: 2048,
  },
  "command-line": {
    text: "a guest's command line",
    script: "command-line.ts",
    covers: [
      "runtime/kernel/command-line.ts",
      "runtime/balloon/make-settings.ts",
      "runtime/virtio/mmio/find.ts",
      "runtime/nearest-name.ts",
    ],
    inputBytesMax: 1024,
  },
  control: {
    text: "the control channel",
    script: "control.ts",
    covers: [
      "runtime/kernel/json-rpc-server.ts",
      "runtime/kernel/control-methods.ts",
      "runtime/kernel/workload.ts",
      "runtime/policy/named.ts",
    ],
    inputBytesMax: 2048,
  },
  incoming: {
    text: "the stream of a machine that another host takes",
    script: "incoming.ts",
    covers: ["src/device/stream.ts", "src/device/snapshot"],
    inputBytesMax: 16384,
  },
  "memory-map": {
    text: "a memory map: where the arena lies, and what the ledger gets",
    script: "memory-map.ts",
    covers: ["runtime/kernel/memory-plan.ts", "runtime/core/arena.ts"],
    inputBytesMax: 512,
  },
} as const satisfies Record<string, Target>;

export type TargetName = keyof typeof TARGETS;
export const TARGET_NAMES = Object.keys(TARGETS) as readonly TargetName[];

/** Inputs that reach deep, and those that once broke something. */
export function seedFolder(name: TargetName): string {
  return join(root, "test/fuzz/corpus", name);
}
