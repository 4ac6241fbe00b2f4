/** The options that say which machine a guest is booted in. */
import { POLICY_NAMES, type PolicyName } from "../../runtime/abi.ts";
import type { SessionOptions } from "../session/plan.ts";
import { parseSize } from "../text/units.ts";
import { ARCHITECTURES, choice } from "./command.ts";
import { type Given, isPath, type OptionSpec } from "./options.ts";
import type { Io } from "./terminal.ts";

/** An option that takes a stock policy's name, or a file with a policy of the user's. */
export function policyOption(text: string): OptionSpec {
  return {
    ...choice("policy", POLICY_NAMES, text),
    value: `${POLICY_NAMES.join("|")}|FILE`,
    orFile: true,
  };
}

/** What `policyOption` was given: the name of a stock policy, or the path of a file. */
export function policyChoice(given: Given): { readonly name?: PolicyName; readonly file?: string } {
  const value = given.value("policy");
  if (value === undefined) return {};
  // The parser has refused every other name.
  return isPath(value) ? { file: value } : { name: value as PolicyName };
}

/** By name, because commands have options of their own between them. */
export const MACHINE_OPTIONS = {
  on: choice("on", ["v86", "qemu"], "the emulator; v86 runs in this process (v86)"),
  arch: choice("arch", ARCHITECTURES, "the guest (i386 on v86, x86_64 on qemu)"),
  machine: choice("machine", ["pc", "q35", "microvm"], "QEMU's machine type (pc)"),
  qemu: {
    name: "qemu",
    value: "PATH",
    text: "QEMU's program (BALLONET_QEMU, or qemu-system-ARCH)",
  },
  memory: {
    name: "memory",
    value: "SIZE",
    text: "memory of the machine (64M on v86, 256M on qemu)",
  },
} as const satisfies Readonly<Record<string, OptionSpec>>;

type MachineChoice = Pick<SessionOptions, "on" | "arch" | "machine" | "qemu" | "memoryBytes">;

/**
 * BALLONET_QEMU of `environment` names QEMU's program for machines of QEMU.
 * @throws FailureError `usage` for a size that is none.
 */
export function machineChoice(
  given: Given,
  { BALLONET_QEMU }: Io["environment"] = {},
): MachineChoice {
  const on = given.value("on") === "qemu" ? "qemu" : "v86";
  const memory = given.value("memory");
  return {
    on,
    arch: given.value("arch") as MachineChoice["arch"],
    machine: given.value("machine") as MachineChoice["machine"],
    qemu: given.value("qemu") ?? (on === "qemu" ? BALLONET_QEMU || undefined : undefined),
    memoryBytes: memory === undefined ? undefined : parseSize(memory, "option --memory"),
  };
}
