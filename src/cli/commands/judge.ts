/**
 * `ballonet judge`: a driver to a report of the rules that it breaks.
 */
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { profiles, type RuleId, rules } from "../../device/index.ts";
import { FailureError } from "../../failure.ts";
import type { JudgeReport } from "../../judge/judge-report.ts";
import { scenarios } from "../../judge/scenarios.ts";
import { parseShard } from "../../judge/shard.ts";
import { parseDuration, parseSize } from "../../text/units.ts";
import { type Call, type CommandSpec, choice, HELP, repeatable } from "../command.ts";
import { exitCodeOf, GOOD } from "../exit-codes.ts";
import { readInput } from "../input-file.ts";
import { FEATURE_NAMES, parseFeatures } from "../offer-option.ts";
import type { Given } from "../options.ts";
import { withCellProgress } from "../progress.ts";
import { BASELINE, REPORT_OPTIONS, reportOutputs, writeReports } from "../report-option.ts";
import { labelled, Screen } from "../terminal.ts";

const TRANSPORTS = ["modern", "transitional", "legacy", "mmio", "legacy-mmio"] as const;
/** Entries of the largest MSI-X table of the device. */
const VECTORS_MAX = 128;
const PLATFORMS = ["qemu", "v86"] as const;
const MACHINES = ["pc", "q35"] as const;
const NAMES = scenarios.map(({ name }) => name);
const RULES = rules.map(({ id }) => id);
const DEFAULTS = scenarios.filter(({ isDefault }) => isDefault).map(({ name }) => name);

export const spec: CommandSpec = {
  name: "judge",
  text: "lead a driver through scenarios, and name each rule that it breaks",
  options: [
    { name: "wasm", value: "FILE", text: "a driver that is a WebAssembly module" },
    {
      name: "kernel",
      value: "FILE",
      text: "the driver of a Linux: its bzImage, run in an emulator; or of an image that boots",
    },
    { name: "serve", value: "SOCKET", text: "the driver of a guest that a vfio-user client runs" },
    { name: "disk", value: "FILE", text: "a disk for the guest; without --kernel, what boots" },
    { name: "modules", value: "FOLDER", text: "its modules (beside it, or in lib/modules)" },
    choice("profile", Object.keys(profiles), "the device to imitate (strict)"),
    choice("transport", TRANSPORTS, "how the driver reaches the device (modern)"),
    { name: "features", value: "LIST", text: "offer these features, and not those with a minus" },
    { name: "vectors", value: "COUNT", text: "entries of the device's MSI-X table (0)" },
    repeatable("scenario", NAMES, `only these; default: ${DEFAULTS.join(", ")}`),
    { name: "shard", value: "K/N", text: "only part K of N of these; `ballonet report merge`" },
    repeatable("waive", RULES, "do not judge these; `ballonet list rules`", "RULE"),
    { name: "timeout", value: "TIME", text: "longest time of one scenario (60s)" },
    choice("on", PLATFORMS, "where a kernel runs; v86 takes those for i386 (qemu)"),
    choice("machine", MACHINES, "the machine on QEMU (pc)"),
    {
      name: "memory",
      value: "SIZE",
      text: "the memory of a guest (512M; on v86, and for an image, 128M)",
    },
    { name: "append", value: "WORDS", text: "more words for the command line" },
    { name: "qemu", value: "FILE", text: "QEMU 10.1 or newer (qemu-system-x86_64)" },
    BASELINE,
    ...REPORT_OPTIONS,
    HELP,
  ],
  notes: [
    "A module exports `memory` and `step() -> f64`, and imports the hardware as six functions of " +
      "the module `hal`: port_read, port_write, mmio_read, mmio_write, now, log. GUIDE.md has " +
      "one in C, and what they take. --transport has to be where the driver looks.",
    "A Linux is started with a first program of ours, which loads the modules and does what a " +
      "scenario asks of the system. It stays up from one scenario to the next.",
    "An image is an ELF file with a Multiboot header or a PVH note. It boots anew for each " +
      "scenario, and scenarios that ask something of the system are left out, unless `ballonet " +
      "image` made it.",
    "A disk, raw or qcow2, is QEMU's: what the guest writes there is not kept. Without --kernel " +
      "the machine's firmware boots it, anew for each scenario, as it does an image.",
    "--serve waits for a client at SOCKET, such as QEMU with vfio-user-pci. Its guest's memory " +
      "is the file SOCKET.memory. One scenario is run (targets); the report comes when the " +
      "client leaves, or at Ctrl-C. LINUX.md has the client's options.",
    `Features: ${FEATURE_NAMES.join(", ")}.`,
    "JSON.md describes what --report json prints. With --baseline, a rule that the same scenario " +
      "broke then is known, and settings that are other ones now are told.",
    "The exit code is 0 when no MUST and no MUST NOT was broken and the driver stayed up, else " +
      "1; with --baseline only what is new counts.",
  ],
  examples: [
    ["ballonet judge --wasm driver.wasm", "every scenario, on the strict device"],
    ["ballonet judge --wasm driver.wasm --scenario start,targets --profile qemu", "two scenarios"],
    ["ballonet judge --wasm driver.wasm --report junit=a.xml --report json=a.json", "for CI"],
    ["ballonet judge --wasm driver.wasm --baseline a.json", "does anything new break?"],
    ["ballonet judge --wasm driver.wasm --shard 2/3 --report json=2.json", "a third of them"],
    ["ballonet judge --kernel /boot/vmlinuz", "the balloon driver of this system's Linux"],
    ["ballonet judge --kernel vmlinuz-686 --on v86", "a Linux for i386, in this process"],
    ["ballonet judge --kernel ballonet-i386.elf --append ballonet.persona=linux", "an image"],
    ["ballonet judge --disk freebsd.qcow2 --scenario start,targets", "any system with a driver"],
    ["ballonet judge --kernel vmlinuz --modules lib/modules --machine q35", "another Linux"],
    ["ballonet judge --serve /tmp/balloon --memory 256M", "any guest of your own QEMU"],
  ],
};

type Work = Pick<
  typeof import("../../judge/index.ts"),
  | "judgeKernel"
  | "judgeModule"
  | "readReport"
  | "reportLines"
  | "reportPasses"
  | "serveDevice"
  | "withBaseline"
>;

/** What is judged: one of these is given; a disk may come with a kernel. */
const SUBJECTS = ["wasm", "kernel", "serve"];
/** Options that make sense with some of these alone. */
const ONLY_WITH: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(["modules", "on", "append"].map((name) => [name, ["kernel"]])),
  ...Object.fromEntries(["machine", "qemu"].map((name) => [name, ["kernel", "disk"]])),
  memory: ["kernel", "disk", "serve"],
  shard: ["kernel", "disk", "wasm"],
};

export async function run(
  { given, io }: Call,
  load: () => Promise<Work> = () => import("../../judge/index.ts"),
): Promise<number> {
  checkSubject(given);
  const common = commonOptions({ given, io });
  const outputs = await reportOutputs(given);
  const work = await load();
  const earlier = await baselineOf(given, work);
  const judged = await judgedBy(work, common, { given, io });
  const report =
    earlier === undefined ? judged : work.withBaseline(judged, earlier.report, earlier.file);
  await writeReports({ report, outputs, lines: work.reportLines, io });
  return work.reportPasses(report) ? GOOD : exitCodeOf({ kind: "rule" });
}

/** Options of every driver. @throws FailureError `usage` */
function commonOptions({ given, io }: Call) {
  const [shard, timeout, memory] = ["shard", "timeout", "memory"].map((name) => given.value(name));
  return {
    device: chosen(given),
    scenarios: given.values("scenario"),
    shard: shard === undefined ? undefined : parseShard(shard, "option --shard"),
    ...(timeout === undefined ? {} : { timeoutMs: parseDuration(timeout, "option --timeout") }),
    memoryBytes: memory === undefined ? undefined : parseSize(memory, "option --memory"),
    signal: io.signal,
  };
}

function judgedBy(
  work: Work,
  options: ReturnType<typeof commonOptions>,
  { given, io }: Call,
): Promise<JudgeReport> {
  const { memoryBytes, ...common } = options;
  const socket = given.value("serve");
  if (socket !== undefined) {
    const screen = new Screen(io.err, io.environment);
    const onStep = (about: string, text: string) =>
      screen.line(labelled(screen.paint, about, text));
    const [scenario] = common.scenarios;
    return work.serveDevice({ ...common, memoryBytes, socket, scenario, onStep });
  }
  const kernel = given.value("kernel");
  const file = given.value("wasm") ?? "";
  return withCellProgress(io, async (onScenario) => {
    const disk = given.value("disk");
    if (kernel === undefined && disk === undefined) {
      const bytes = await readInput("wasm", file, "a driver's module");
      return work.judgeModule({ ...common, onScenario, name: basename(file), bytes });
    }
    return work.judgeKernel({
      ...{ ...common, memoryBytes, onScenario, kernel, disk },
      modules: given.value("modules"),
      on: given.value("on") as (typeof PLATFORMS)[number] | undefined,
      qemu: given.value("qemu"),
      // The parser has refused every other name.
      machine: given.value("machine") as (typeof MACHINES)[number] | undefined,
      append: given.value("append"),
    });
  });
}

/** The earlier report; undefined when none was named. It is read before the work begins. */
async function baselineOf(given: Given, { readReport }: Pick<Work, "readReport">) {
  const file = given.value("baseline");
  if (file === undefined) return undefined;
  return { file, report: readReport(await readFile(file, "utf8"), file) };
}

/** @throws FailureError `usage` unless there is one driver, and options for it alone. */
function checkSubject(given: Given): void {
  const chosen = SUBJECTS.filter((name) => given.has(name));
  const subjects = given.has("disk") && !given.has("kernel") ? [...chosen, "disk"] : chosen;
  const stray = Object.entries(ONLY_WITH).find(
    ([name, owners]) => given.has(name) && !owners.some((owner) => given.has(owner)),
  );
  const isOneScenario = !given.has("serve") || given.values("scenario").length <= 1;
  if (subjects.length === 1 && stray === undefined && isOneScenario) return;
  const alone = stray ? `--${stray[0]} without --${stray[1].join(" or --")}` : "no driver";
  const both = subjects.map((name) => `--${name}`).join(" and ");
  throw new FailureError({
    kind: "usage",
    what: "`ballonet judge`",
    seen: isOneScenario ? (subjects.length > 1 ? both : alone) : "--serve with two scenarios",
    todo: "give --wasm, --kernel, --disk or --serve; see `ballonet judge --help`",
  });
}

function chosen(given: Given) {
  const features = given.value("features");
  const vectors = given.value("vectors");
  // The parser has refused every other name.
  return {
    ...(features !== undefined && { offer: parseFeatures(features) }),
    ...(vectors !== undefined && { vectors: parseVectors(vectors) }),
    waive: given.values("waive") as readonly RuleId[],
    profile: (given.value("profile") ?? "strict") as keyof typeof profiles,
    transport: (given.value("transport") ?? "modern") as (typeof TRANSPORTS)[number],
  };
}

function parseVectors(text: string): number {
  const vectors = Number(text);
  if (/^\d+$/.test(text) && vectors <= VECTORS_MAX) return vectors;
  const todo = `give a number from 0 to ${VECTORS_MAX}`;
  throw new FailureError({ kind: "usage", what: "option --vectors", seen: `"${text}"`, todo });
}
