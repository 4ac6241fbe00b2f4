/**
 * The benchmark of the JavaScript engine: `npm run bench:engine -- --native FILE`.
 *
 * The same programs run in the guest and, under Linux, in an engine that was compiled for the
 * processor; each on the same QEMU, in turns.
 */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { cpio } from "../../../src/judge/agent/cpio.ts";
import { packageFolder } from "../../../src/package.ts";
import { runProgram } from "../../../src/session/run-program.ts";
import { figures, RUNS } from "../measure.ts";

const HELP = `Usage: npm run bench:engine -- --native FILE [--json] [--help]

Measures ten small JavaScript programs in the guest, and in an engine of your own under Linux, both
x86_64 on QEMU without KVM: ${RUNS} boots of each, in turns.

  --native FILE  the engine: a static x86_64 program that runs the script which its argument
                 names, such as qjs of QuickJS
  --json         print one JSON object instead of a table
  --help         print this

It takes QEMU, and the kernel that \`npm run setup\` puts into build/kernels.`;

const MEMORY = "256M";
const NATIVE_MS = 120_000;

interface ProgramTime {
  readonly name: string;
  readonly answer: number;
  readonly ms: number;
}

interface Comparison {
  readonly name: string;
  readonly guestMs: number;
  readonly nativeMs: number;
  /** Of the guest's time to the other's, turn by turn. */
  readonly ratio: { readonly median: number; readonly least: number; readonly most: number };
}

function read(lines: readonly string[], who: string): ProgramTime[] {
  const found = lines.find((line) => line.startsWith("results "));
  if (found === undefined) throw new Error(`${who}: no line of results in ${lines.join(" | ")}`);
  return JSON.parse(found.slice("results ".length)) as ProgramTime[];
}

async function inGuest(): Promise<ProgramTime[]> {
  const lines: string[] = [];
  const app = join(packageFolder(), "test/bench/engine/programs.js");
  const onLine = ({ text }: { text: string }) => lines.push(text);
  await runProgram({ app, on: "qemu", arch: "x86_64", onLine });
  return read(lines, "the guest");
}

async function underLinux(initrd: string): Promise<ProgramTime[]> {
  const kernel = join(packageFolder(), "build/kernels/linux-6.1-x86_64/vmlinuz");
  const words = "console=ttyS0 quiet panic=-1 rdinit=/engine -- /programs.js";
  const { stdout } = await promisify(execFile)(
    "qemu-system-x86_64",
    [
      ...["-accel", "tcg", "-m", MEMORY, "-nodefaults", "-no-reboot", "-display", "none"],
      ...["-serial", "stdio", "-kernel", kernel, "-initrd", initrd, "-append", words],
    ],
    { timeout: NATIVE_MS },
  );
  // The firmware leaves the start of a line.
  return read(stdout.split(/\r?\n|(?=results )/), "Linux");
}

function compare(guest: ProgramTime[][], native: ProgramTime[][]): Comparison[] {
  const [first = []] = guest;
  return first.map(({ name, answer }, index) => {
    const of = (turns: ProgramTime[][]) => turns.map((turn) => turn[index] as ProgramTime);
    const others = of(native);
    if (others.some((it) => it.answer !== answer)) throw new Error(`${name}: another answer`);
    const ratios = of(guest).map(({ ms }, turn) => ms / (others[turn] as ProgramTime).ms);
    const { median, least, most } = figures(name, ratios);
    const middle = (turns: ProgramTime[]) =>
      figures(
        name,
        turns.map(({ ms }) => ms),
      ).median;
    const guestMs = middle(of(guest));
    return { name, guestMs, nativeMs: middle(others), ratio: { median, least, most } };
  });
}

const { values } = parseArgs({
  options: {
    native: { type: "string" },
    json: { type: "boolean" },
    help: { type: "boolean", short: "h" },
  },
});
if (values.help === true) {
  console.log(HELP);
} else if (values.native === undefined) {
  console.error("seen no --native; give the engine to compare with: --native FILE");
  process.exitCode = 2;
} else {
  const folder = await mkdtemp(join(tmpdir(), "ballonet-engine-"));
  try {
    const initrd = join(folder, "initrd");
    const script = join(packageFolder(), "test/bench/engine/programs.js");
    const entries = [
      { name: "engine", bytes: await readFile(values.native) },
      { name: "programs.js", bytes: await readFile(script) },
    ];
    await writeFile(initrd, cpio(entries));
    const guest: ProgramTime[][] = [];
    const native: ProgramTime[][] = [];
    for (let turn = 1; turn <= RUNS; turn++) {
      console.error(`... turn ${turn} of ${RUNS}`);
      guest.push(await inGuest());
      native.push(await underLinux(initrd));
    }
    const programs = compare(guest, native);
    const logs = programs.map(({ ratio }) => Math.log(ratio.median));
    const mean = Math.exp(logs.reduce((sum, it) => sum + it, 0) / logs.length);
    if (values.json === true) {
      console.log(JSON.stringify({ programs, geometricMean: mean }, undefined, 2));
    } else {
      console.log("program         guest ms  native ms   ratio (least to most)");
      for (const { name, guestMs, nativeMs, ratio } of programs) {
        const times = [guestMs, nativeMs].map((ms) => ms.toFixed(1).padStart(9)).join("  ");
        const range = `${ratio.least.toFixed(2)} to ${ratio.most.toFixed(2)}`;
        console.log(`${name.padEnd(14)} ${times}   ${ratio.median.toFixed(2)} (${range})`);
      }
      console.log(`geometric mean of the ratios: ${mean.toFixed(2)}`);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
