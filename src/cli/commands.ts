/**
 * The commands that there are: names, options, examples. Help and parsing both read this table.
 *
 * It does nothing. Invariant: every option that a command reads stands here, with a line of help.
 */
import { DEFLATE_MODES, DIALECTS } from "../../runtime/balloon/deflate-order.ts";
import { PERSONA_NAMES } from "../../runtime/balloon/settings.ts";
import { POLICY_NAMES } from "../../runtime/policy/named.ts";
import { HOST_NAMES, PATH_NAMES } from "../lab/cell-names.ts";
import type { OperandSpec, OptionSpec } from "./options.ts";

export interface CommandSpec {
  readonly name: string;
  readonly text: string;
  /** The word that it takes besides its options. */
  readonly operand?: OperandSpec;
  readonly options: readonly OptionSpec[];
  /** Paragraphs after the options. */
  readonly notes: readonly string[];
  /** What to type, and what it does. */
  readonly examples: readonly (readonly [string, string])[];
}

const HELP: OptionSpec = { name: "help", short: "h", text: "say this" };
const ARCHITECTURES = ["i386", "x86_64"];

const choice = (
  name: string,
  choices: readonly string[],
  text: string,
): OptionSpec & { value: string } => ({ name, value: choices.join("|"), choices, text });

const BOOT: CommandSpec = {
  name: "boot",
  text: "boot a guest, find its balloon, drive it through a script of targets, verify, sum up",
  options: [
    choice("on", ["v86", "qemu"], "the emulator (v86: inside this process)"),
    choice("arch", ARCHITECTURES, "the guest (i386 on v86, x86_64 on qemu)"),
    choice("machine", ["pc", "q35"], "QEMU's machine type (pc)"),
    { name: "memory", value: "SIZE", text: "memory of the machine (64M on v86, 256M on qemu)" },
    {
      name: "target",
      value: "TARGET",
      repeatable: true,
      text: "size of the balloon; repeat for a script (half, then 0)",
    },
    { name: "workload", value: "SIZE", text: "memory that the guest fills and verifies; 0: none" },
    choice("persona", PERSONA_NAMES, "the driver's manners (ballonet)"),
    choice("policy", POLICY_NAMES, "how the driver follows a target (follow)"),
    choice("deflate", DEFLATE_MODES, "who is told when (tell-first)"),
    { name: "reserve", value: "SIZE", text: "free memory that inflating leaves (1M)" },
    { name: "append", value: "WORDS", text: "more words for the guest's command line" },
    { name: "image", value: "FILE", text: "boot this image instead of building one" },
    { name: "no-balloon", text: "a machine without a balloon, to see how the guest takes it" },
    { name: "timeout", value: "TIME", text: "longest time without progress (30s)" },
    { name: "json", text: "one JSON object a line and event, the last one summary or failed" },
    { name: "verbose", short: "v", text: "show the guest's log" },
    { name: "quiet", short: "q", text: "say nothing but the summary" },
    HELP,
  ],
  notes: [
    "TARGET is how much the balloon shall hold: half, 0, a share (40%), a size (128M) or pages\n" +
      "(4096p). SIZE needs a unit: 256M, 1G, 512K. TIME is 30s, 500ms or 2m.",
    "A device that offers MUST_TELL_HOST allows no mode but tell-first, unless the guest\n" +
      "declines the offer: --append ballonet.must-tell-host=decline.",
  ],
  examples: [
    ["ballonet boot", "the default session: v86, half of 64 MiB and back"],
    [
      "ballonet boot --on qemu --machine q35 --memory 3G --target 75% --target 1G --target 0",
      "three targets on QEMU",
    ],
    ["ballonet boot --on qemu --persona linux --json", "the same manners as Linux; for programs"],
  ],
};

const IMAGE: CommandSpec = {
  name: "image",
  text: "build a bootable image, and print the QEMU command line that boots it",
  options: [
    choice("arch", ARCHITECTURES, "the guest (x86_64)"),
    { name: "out", value: "FILE", text: "where to write it (build/images/ballonet-ARCH.elf)" },
    { name: "json", text: "one JSON object" },
    { name: "quiet", short: "q", text: "print the QEMU command line alone" },
    HELP,
  ],
  notes: [
    "The first image takes half a minute: the engine is compiled. Later ones take a second\n" +
      "or two. i386 boots by Multiboot and PVH, x86_64 by PVH.",
  ],
  examples: [
    ["ballonet image --arch x86_64 --out guest.elf", "build, and say how to boot"],
    ['sh -c "$(ballonet image --quiet)"', "build it and boot it by hand"],
  ],
};

/** Any number of the names that there are. */
const some = (name: string, choices: readonly string[], text: string): OptionSpec => ({
  ...{ name, value: name.toUpperCase(), choices, repeatable: true },
  text,
});

const COMPARE: CommandSpec = {
  name: "compare",
  text: "run drivers against hosts, each pair for real, and print what came of it",
  operand: {
    value: "QUESTION",
    choices: ["deflate"],
    required: true,
    text: "deflate: must a driver tell the host before it uses a page again?",
  },
  options: [
    some("persona", PERSONA_NAMES, `only these drivers: ${PERSONA_NAMES.join(", ")}`),
    some("host", HOST_NAMES, `only these hosts: ${HOST_NAMES.join(", ")}`),
    some("dialect", DIALECTS, `only these of the driver's dialects: ${DIALECTS.join(", ")}`),
    some("path", PATH_NAMES, "only these ways to migrate; `ballonet explain` lists them"),
    { name: "html", value: "FILE", text: "write a page with a timeline of every pair, too" },
    { name: "json", text: "one JSON object with every fact of every pair" },
    HELP,
  ],
  notes: [
    "Every pair is a run of the driver on the reference device, in this process; all of them\n" +
      "take half a minute. What the table says was counted by the device and the guest.",
    "Without options: every driver on every host, the two-bit dialect where the host speaks it,\n" +
      "and every migration between hosts that are locked. Name --host and --path, or --host and\n" +
      "--dialect, for other combinations.",
    "JSON: type (comparison), question, cells, findings. A cell: name, outcome (gains,\n" +
      "nothing, lost, refused), manner, persona, host, dialect, path, migration, refused,\n" +
      "offered, negotiated, mustTellFirst, mayBeSilent, mayUnlock, pages, touches,\n" +
      "damagedFrames, verdicts, marks, timeline. A finding: outcome, cells (names), text.\n" +
      "Fields are added, never changed.",
    "To compare is not to judge: the exit code is 0 even where data was lost.",
  ],
  examples: [
    ["ballonet compare deflate", "every driver on every host"],
    ["ballonet compare deflate --host locked --host locked-always", "two hosts"],
    ["ballonet compare deflate --host two-bit --path to-old", "one host, one way to migrate"],
    ["ballonet compare deflate --persona windows --persona linux --json", "for programs"],
    ["ballonet compare deflate --html deflate.html", "a page that needs nothing else"],
  ],
};

const EXPLAIN: CommandSpec = {
  name: "explain",
  text: "say why a driver on a host comes out as it does, with the specification's sections",
  operand: {
    value: "NAME",
    text: "a driver, a host, a dialect, a way to migrate, or a pair (PERSONA/HOST)",
  },
  options: [{ name: "json", text: "one JSON object" }, HELP],
  notes: [
    "Without a name: what there is to explain, and how the question came about. What is said\n" +
      "of how pairs come out is run for it.",
    "JSON: type (explanation), name, kinds, paragraphs, and the cells and findings of\n" +
      "`ballonet compare deflate --json`.",
  ],
  examples: [
    ["ballonet explain", "the question, and what there is"],
    ["ballonet explain windows", "a driver's manners"],
    ["ballonet explain windows/locked-always", "why data is lost"],
    ["ballonet explain linux/locked/to-old", "why a host does not take a guest"],
  ],
};

const DOCTOR: CommandSpec = {
  name: "doctor",
  text: "say what is here, what is missing, and how to get it",
  options: [{ name: "json", text: "one JSON object" }, HELP],
  notes: ["Exit code 3 when something is missing that every session needs; QEMU is optional."],
  examples: [["ballonet doctor", "look at this machine"]],
};

export const COMMANDS: readonly CommandSpec[] = [BOOT, IMAGE, COMPARE, EXPLAIN, DOCTOR];
