/** The targets of the fuzzer: C that takes foreign bytes, each with a program around it. */
import { join } from "node:path";
import { packageFolder } from "../../src/package.ts";

const root = packageFolder();
export const BOOT = join(root, "runtime/kernel/boot");
const PROGRAMS = join(root, "test/fuzz/c");

export interface Target {
  readonly text: string;
  /** C files, besides the program. */
  readonly sources: readonly string[];
  /** Whether core.wasm is converted to C and is one of them. */
  readonly hasCore?: boolean;
  readonly program: string;
  /** Bytes of an input, at most. */
  readonly inputBytesMax: number;
}

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
} as const satisfies Record<string, Target>;

export type TargetName = keyof typeof TARGETS;
export const TARGET_NAMES = Object.keys(TARGETS) as readonly TargetName[];

/** Inputs that reach deep, and those that once broke something. */
export function seedFolder(name: TargetName): string {
  return join(root, "test/fuzz/corpus", name);
}
