/**
 * The benchmark of a boot: `npm run bench:boot`, or with `-- --json`, `-- --help`.
 *
 * Time runs from before the emulator is started until the guest's line has arrived here. A kernel
 * that does nothing but print its line takes its turn, too: what it takes is the emulator's time.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildImage } from "../../src/image/build-image.ts";
import { launchQemu } from "../../src/vmm/qemu/qemu.ts";
import { launchV86 } from "../../src/vmm/v86/v86.ts";
import type { Vmm } from "../../src/vmm/vmm.ts";
import { tinyGuest } from "../boot/support/tiny-guest.ts";
import { runBench } from "./bench-program.ts";
import { type Figures, figures, RUNS } from "./measure.ts";

const HELP = `Usage: npm run bench:boot -- [--json] [--help]

Measures ${RUNS} boots of each kind, taking turns after one to warm up: milliseconds from starting
the emulator to the line "ballonet: ready", how much more that is than an empty kernel takes to
its line, and the images' sizes.

  --json   prints one JSON object instead of a table
  --help   prints this

QEMU must be installed. Exit code 0, whether or not a goal is reached.`;

const MEMORY_BYTES = 128 * 1024 * 1024;
const READY_MS = 60_000;

interface Kind {
  readonly name: string;
  /** The median to stay below; undefined where none was set. */
  readonly goalMs: number | undefined;
  /** The line of the guest that ends the time; default: that its driver is ready. */
  readonly line?: RegExp;
  launch(image: Images): Promise<Vmm>;
}

type Images = Readonly<
  Record<"i386" | "x86_64" | "empty", { readonly path: string; readonly bytes: number }>
>;

function onQemu(arch: "i386" | "x86_64", machine: "pc" | "q35", goalMs?: number): Kind {
  const memoryBytes = MEMORY_BYTES;
  return {
    name: `QEMU ${arch} ${machine}`,
    goalMs,
    launch: (images) => launchQemu({ arch, machine, memoryBytes, image: images[arch].path }),
  };
}

/** What a boot may take more than that of an empty kernel, where a goal was set. */
const OVER_EMPTY_MS = 34 * 1.05;
const EMPTY: Kind = {
  name: "QEMU q35, an empty kernel",
  goalMs: undefined,
  line: /^tiny: boot/,
  launch: ({ empty: { path } }) =>
    launchQemu({ arch: "x86_64", machine: "q35", memoryBytes: MEMORY_BYTES, image: path }),
};

const KINDS: readonly Kind[] = [
  EMPTY,
  onQemu("x86_64", "q35", 400),
  onQemu("x86_64", "pc"),
  onQemu("i386", "q35"),
  onQemu("i386", "pc"),
  {
    name: "v86 in Node",
    goalMs: 2000,
    launch: ({ i386 }) => launchV86({ memoryBytes: MEMORY_BYTES, image: i386.path }),
  },
];

interface Results {
  readonly node: string;
  readonly runs: number;
  readonly boots: readonly (Figures & { readonly goalMs?: number })[];
  readonly imageBytes: { readonly i386: number; readonly x86_64: number };
}

async function bootMs(kind: Kind, images: Images): Promise<number> {
  const startMs = performance.now();
  const vm = await kind.launch(images);
  try {
    const { line: pattern = /^ballonet: ready/ } = kind;
    await vm.log.waitForLine({ pattern, timeoutMs: READY_MS });
    return performance.now() - startMs;
  } finally {
    await vm.kill();
  }
}

async function emptyKernel(folder: string): Promise<Images["empty"]> {
  const [path, bytes] = [join(folder, "empty.elf"), tinyGuest()];
  await writeFile(path, bytes);
  return { path, bytes: bytes.length };
}

async function measure(progress: (line: string) => void): Promise<Results> {
  const folder = await mkdtemp(join(tmpdir(), "bench-boot-"));
  try {
    return await measureIn(folder, progress);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function measureIn(folder: string, progress: (line: string) => void): Promise<Results> {
  progress("building the images");
  const images = {
    empty: await emptyKernel(folder),
    i386: await buildImage({ arch: "i386" }),
    x86_64: await buildImage({ arch: "x86_64" }),
  };
  const times = KINDS.map((): number[] => []);
  for (let run = -1; run < RUNS; run++) {
    progress(run < 0 ? "warming up" : `run ${run + 1} of ${RUNS}`);
    for (const [index, kind] of KINDS.entries()) {
      const ms = await bootMs(kind, images);
      if (run >= 0) times[index]?.push(ms);
    }
  }
  const boots = KINDS.map(({ name, goalMs }, index) => ({
    ...figures(name, times[index] ?? []),
    ...(goalMs !== undefined && { goalMs }),
  }));
  const { i386, x86_64 } = images;
  const imageBytes = { i386: i386.bytes, x86_64: x86_64.bytes };
  return { node: process.version, runs: RUNS, boots, imageBytes };
}

function row(first: string, ...cells: readonly string[]): string {
  return `  ${first.padEnd(28)}${cells.map((cell) => cell.padStart(10)).join("")}`;
}

/** How much longer the image of x86_64 takes on q35 than an empty kernel. */
function over(boots: Results["boots"]): string[] {
  const of = (wanted: string) => boots.find(({ name }) => name === wanted);
  const [image, empty] = [of("QEMU x86_64 q35"), of(EMPTY.name)];
  if (!image || !empty) return [];
  const ms = [image.median - empty.median, image.least - empty.least];
  const goal = `< ${OVER_EMPTY_MS.toFixed(0)}`;
  return [row("  x86_64 q35 over empty", ...ms.map((it) => it.toFixed(0)), "", goal)];
}

function table({ node, runs, boots, imageBytes }: Results): string {
  return [
    `Node ${node}, ${runs} boots of each kind, taking turns`,
    "",
    row("ms from start to ready", "median", "min", "max", "goal"),
    ...boots.map(({ name, median, least, most, goalMs }) => {
      const ms = [median, least, most].map((value) => value.toFixed(0));
      return row(name, ...ms, goalMs === undefined ? "" : `< ${goalMs}`);
    }),
    ...over(boots),
    "",
    row("image bytes", "size", "goal"),
    row("i386", String(imageBytes.i386), "< 2000000"),
    row("x86_64", String(imageBytes.x86_64), "< 2000000"),
  ].join("\n");
}

await runBench({ help: HELP, measure, table });
