/**
 * `ballonet check`: a balloon device to a report of what the specification demands and it breaks.
 */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { HOST_TRANSPORTS, type HostTransport } from "../../check/hosts/transport.ts";
import type { CheckHostSystem } from "../../check/index.ts";
import { FailureError } from "../../failure.ts";
import { parseShard } from "../../judge/shard.ts";
import { parseDuration } from "../../text/units.ts";
import { type Call, type CommandSpec, choice, HELP } from "../command.ts";
import { exitCodeOf, GOOD } from "../exit-codes.ts";
import { readInput } from "../input-file.ts";
import { MACHINE_OPTIONS } from "../machine-options.ts";
import type { Given } from "../options.ts";
import { withCellProgress, withProgress } from "../progress.ts";
import { BASELINE, REPORT_OPTIONS, reportOutputs, writeReports } from "../report-option.ts";
import type { Io } from "../terminal.ts";

const MACHINES = ["pc", "q35", "microvm"] as const;

export const spec: CommandSpec = {
  name: "check",
  text: "check a balloon device from within a guest, and name what it breaks",
  options: [
    {
      name: "on",
      value: "v86|qemu|firecracker|cloud-hypervisor|crosvm|FILE",
      text: "whose device; FILE is a host of your own (v86)",
    },
    MACHINE_OPTIONS.arch,
    MACHINE_OPTIONS.machine,
    MACHINE_OPTIONS.qemu,
    {
      name: "program",
      value: "PATH",
      text: "the program of firecracker, cloud-hypervisor or crosvm, and what follows it",
    },
    choice("transport", HOST_TRANSPORTS, "how the device is reached (as the host has it)"),
    {
      name: "device",
      value: "NAME=VALUE,...",
      text: "properties of QEMU's device, by its own names",
    },
    { name: "behaviours", text: "what other projects' tests look at, in place of the checks" },
    { name: "only", value: "ID,...", text: "only these checks, or these behaviours" },
    { name: "shard", value: "K/N", text: "only part K of N of these; `ballonet report merge`" },
    { name: "hostile", text: "a guest that does what no driver would, by seed" },
    { name: "seed", value: "N", text: "the seed of its first round (1)" },
    { name: "for", value: "TIME", text: "how long it goes on (60s)" },
    {
      name: "timeout",
      value: "TIME",
      text: "longest time of all checks, or of one behaviour (60s)",
    },
    { name: "template", text: "print a host of your own to begin with, for --on FILE" },
    BASELINE,
    ...REPORT_OPTIONS,
    HELP,
  ],
  notes: [
    "The guest drives registers and rings by hand, as no driver would, and prints TAP on COM1. " +
      "It asks over a serial port for what takes the host's hand, such as a target. Where nobody " +
      "does it, the checks that need it are left out.",
    "firecracker, cloud-hypervisor and crosvm need KVM. Their programs are looked up in PATH; " +
      "--program, or BALLONET_FIRECRACKER, BALLONET_CLOUD_HYPERVISOR or BALLONET_CROSVM, names " +
      "another, with arguments that come first. Their checks are asked on COM1.",
    "FILE is a module whose default export is a host: CheckHostSystem of ballonet/check. " +
      "--template prints one to begin with.",
    "Behaviours are named after the tests of Firecracker, Cloud Hypervisor, QEMU and others, and " +
      "run with this package's driver in a guest: `ballonet list behaviours`. What the host " +
      "cannot do is left out.",
    "A recommendation (SHOULD) that is broken is told and is no failure. The exit code is 0 when " +
      "no MUST and no MUST NOT is broken, else 1; with --baseline only what is new counts.",
  ],
  examples: [
    ["ballonet check --on qemu", "QEMU's device on PCI"],
    ["ballonet check --on qemu --machine microvm --report junit=check.xml", "over MMIO, for CI"],
    ["ballonet check --on qemu --device packed=on,page-poison=on", "with packed rings"],
    ["ballonet check --on qemu --hostile --seed 7 --for 5m", "does it live through anything?"],
    ["ballonet check --on firecracker --behaviours", "what Firecracker's own tests look at"],
    ["ballonet check --on my-vmm.ts --only STATUS-CONSUME,FRAMING", "two checks on your own VMM"],
  ],
};

type Work = Pick<
  typeof import("../../check/index.ts"),
  | "checkBehaviours"
  | "checkDevice"
  | "hostileGuest"
  | "qemuHost"
  | "v86Host"
  | "firecrackerHost"
  | "cloudHypervisorHost"
  | "crosvmHost"
  | "HOST_TEMPLATE"
>;

export async function run(
  { given, io }: Call,
  load: () => Promise<Work> = () => import("../../check/index.ts"),
): Promise<number> {
  if (given.has("template")) {
    io.out.write((await load()).HOST_TEMPLATE);
    return GOOD;
  }
  const outputs = await reportOutputs(given);
  const timeout = given.value("timeout");
  const timeoutMs = timeout === undefined ? undefined : parseDuration(timeout, "option --timeout");
  const part = given.value("shard");
  const shard = part === undefined ? undefined : parseShard(part, "option --shard");
  const only = onlyOf(given.value("only"));
  const hostile = hostileOf(given);
  const work = await load();
  const { readReport, reportLines, reportPasses, withBaseline } = await import(
    "../../judge/index.ts"
  );
  const file = given.value("baseline");
  const earlier = file === undefined ? undefined : readReport(await readFile(file, "utf8"), file);
  const host = await hostOf(work, given, io);
  const checked =
    hostile === undefined
      ? await withCellProgress(io, (show) => {
          const options = {
            ...{ host, shard, timeoutMs, signal: io.signal },
            onCheck: (id: string, done: number, of: number) => show(id, done - 1, of),
            ...(only !== undefined && { only }),
          };
          const isChecks = !given.has("behaviours");
          return isChecks ? work.checkDevice(options) : work.checkBehaviours(options);
        })
      : await withProgress(io, (onProgress) =>
          work.hostileGuest({ ...hostile, host, signal: io.signal, onProgress }),
        );
  const report =
    earlier === undefined ? checked : withBaseline(checked, earlier, given.value("baseline") ?? "");
  await writeReports({ report, outputs, lines: reportLines, io });
  return reportPasses(report) ? GOOD : exitCodeOf({ kind: "rule" });
}

/** @throws FailureError `usage` for an empty id; which ids there are, the guest knows. */
function onlyOf(text: string | undefined): readonly string[] | undefined {
  const ids = text?.split(",").map((id) => id.trim());
  if (ids?.every((id) => /^\S+$/.test(id)) ?? true) return ids;
  const todo = "name checks with a comma between them, such as STATUS-CONSUME,FRAMING";
  throw new FailureError({ kind: "usage", what: "option --only", seen: `"${text}"`, todo });
}

/** @throws FailureError `usage` */
function hostileOf(given: Given) {
  const [seed, time] = [given.value("seed"), given.value("for")];
  const stray = ["seed", "for"].find((name) => given.has(name) && !given.has("hostile"));
  if (stray !== undefined) {
    const todo = "give --hostile, too";
    throw new FailureError({ kind: "usage", what: "options", seen: `--${stray} alone`, todo });
  }
  if (!given.has("hostile")) return undefined;
  const unfit = ["only", "shard", "timeout", "behaviours"].find((name) => given.has(name));
  if (unfit !== undefined) {
    const todo = `leave it out${unfit === "timeout" ? ", or give --for" : ""}`;
    const seen = `--${unfit} with --hostile`;
    throw new FailureError({ kind: "usage", what: "options", seen, todo });
  }
  if (seed !== undefined && !/^\d{1,9}$/.test(seed)) {
    const todo = "give a number of up to nine digits";
    throw new FailureError({ kind: "usage", what: "option --seed", seen: `"${seed}"`, todo });
  }
  return {
    seed: seed === undefined ? undefined : Number(seed),
    forMs: time === undefined ? undefined : parseDuration(time, "option --for"),
  };
}

/** Hosts that are programs, with the variables that name them. */
const PROGRAMS = {
  firecracker: ["firecrackerHost", "BALLONET_FIRECRACKER"],
  "cloud-hypervisor": ["cloudHypervisorHost", "BALLONET_CLOUD_HYPERVISOR"],
  crosvm: ["crosvmHost", "BALLONET_CROSVM"],
} as const;

const isProgram = (on: string): on is keyof typeof PROGRAMS => Object.hasOwn(PROGRAMS, on);

async function hostOf(work: Work, given: Given, io: Io): Promise<CheckHostSystem> {
  const on = given.value("on") ?? "v86";
  // The parser has refused every other name.
  const transport = given.value("transport") as HostTransport | undefined;
  if (on === "qemu") {
    refuseStray(given, on, ["program"]);
    const properties = propertiesOf(given.value("device"));
    return work.qemuHost({
      binary: given.value("qemu") ?? (io.environment?.BALLONET_QEMU || undefined),
      arch: given.value("arch") === "i386" ? "i386" : undefined,
      machine: given.value("machine") as (typeof MACHINES)[number] | undefined,
      transport,
      balloon: { properties },
    });
  }
  refuseStray(given, on, ["arch", "machine", "qemu", "device"]);
  if (isProgram(on)) {
    const [make, variable] = PROGRAMS[on];
    const words = given.value("program") ?? io.environment?.[variable];
    return work[make]({ program: words?.split(/\s+/).filter((word) => word !== ""), transport });
  }
  refuseStray(given, on, ["program", "transport"]);
  if (on === "v86") return work.v86Host();
  return hostIn(on);
}

/** @throws FailureError `usage` for an option that this host does not take. */
function refuseStray(given: Given, on: string, names: readonly string[]): void {
  const stray = names.find((name) => given.has(name));
  if (stray === undefined) return;
  const todo = stray === "program" ? "leave it out" : "leave it out, or give --on qemu";
  throw new FailureError({ kind: "usage", what: "options", seen: `--${stray} on ${on}`, todo });
}

async function hostIn(file: string): Promise<CheckHostSystem> {
  await readInput("on", file, "a host");
  const made: { readonly default?: CheckHostSystem } = await import(
    pathToFileURL(resolve(file)).href
  );
  if (typeof made.default?.launch === "function") return made.default;
  const todo = "export a CheckHostSystem as default: `ballonet check --template` prints one";
  throw new FailureError({ kind: "usage", what: "option --on", seen: `${file} without one`, todo });
}

/** @throws FailureError `usage` for what is no list of properties. */
function propertiesOf(text: string | undefined): Readonly<Record<string, string>> {
  const pairs = text === undefined ? [] : text.split(",").map((pair) => pair.split("="));
  const wrong = pairs.find((pair) => pair.length !== 2);
  if (wrong === undefined) return Object.fromEntries(pairs) as Record<string, string>;
  const todo = "write NAME=VALUE,NAME=VALUE, such as packed=on";
  const seen = `"${wrong.join("=")}"`;
  throw new FailureError({ kind: "usage", what: "option --device", seen, todo });
}
