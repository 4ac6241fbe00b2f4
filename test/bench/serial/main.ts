/**
 * The benchmark of the control channel: `npm run bench:serial`, or with `-- --json`, `-- --help`.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildImage } from "../../../src/image/build-image.ts";
import type { QemuMachine } from "../../../src/vmm/qemu/arguments.ts";
import { launchQemu } from "../../../src/vmm/qemu/qemu.ts";
import { launchV86 } from "../../../src/vmm/v86/v86.ts";
import type { Vmm } from "../../../src/vmm/vmm.ts";
import { runBench } from "../bench-program.ts";
import { figures, RUNS } from "../measure.ts";
import { RAW_BYTES, rawGuest } from "./raw-guest.ts";

const HELP = `Usage: npm run bench:serial -- [--json] [--help]

Measures the control channel: bytes a second of a long reply and of a long request, beside a guest
of a few instructions that does nothing but move as many bytes over the same port: out in bursts of
16 for each look, in with one look for each. Both take turns, ${RUNS} times after one to warm up;
figures are medians. The ratio is the channel's speed over that guest's.

  --json   prints one JSON object instead of a table
  --help   prints this

QEMU must be installed. Exit code 0.`;

const MEMORY_BYTES = 128 * 1024 * 1024;
const LIMIT_MS = 120_000;

type Control = "com1" | "com2";

interface Kind {
  readonly name: string;
  readonly arch: "i386" | "x86_64";
  readonly control: Control;
  launch(image: string): Promise<Vmm>;
}

function onQemu(arch: Kind["arch"], machine: QemuMachine, control: Control): Kind {
  const memoryBytes = MEMORY_BYTES;
  return {
    name: `QEMU ${arch} ${machine} ${control}`,
    arch,
    control,
    launch: (image) => launchQemu({ arch, machine, memoryBytes, image, control }),
  };
}

function onV86(control: Control): Kind {
  return {
    name: `v86 ${control}`,
    arch: "i386",
    control,
    launch: (image) => launchV86({ memoryBytes: MEMORY_BYTES, image, control }),
  };
}

const KINDS: readonly Kind[] = [
  onQemu("x86_64", "q35", "com2"),
  onQemu("x86_64", "q35", "com1"),
  onQemu("i386", "pc", "com2"),
  onQemu("x86_64", "microvm", "com1"),
  onV86("com2"),
  onV86("com1"),
];

/** Bytes a second. */
interface Speeds {
  readonly out: number;
  readonly in: number;
}

const perSecond = (bytes: number, sinceMs: number) =>
  (bytes * 1000) / (performance.now() - sinceMs);

/** Moves the same bytes again and again; the machine stays up in between. */
interface Contender {
  measure(): Promise<Speeds>;
}

async function channel(vm: Vmm): Promise<Contender> {
  await vm.log.waitForLine({ pattern: /^ballonet: ready/, timeoutMs: LIMIT_MS });
  const evaluate = (script: string) =>
    vm.control.request({ method: "evaluate", params: { script }, timeoutMs: LIMIT_MS });
  const request = `/*${"x".repeat(RAW_BYTES)}*/ 7`;
  return {
    measure: async () => {
      const outMs = performance.now();
      const reply = await evaluate(`"x".repeat(${RAW_BYTES})`);
      if (reply !== "x".repeat(RAW_BYTES)) throw new Error("a damaged reply");
      const out = perSecond(RAW_BYTES, outMs);
      const inMs = performance.now();
      if ((await evaluate(request)) !== 7) throw new Error("a wrong reply");
      return { out, in: perSecond(RAW_BYTES, inMs) };
    },
  };
}

/** What a raw guest sends is taken before it is split into lines, which it has none of. */
async function rawPort(vm: Vmm): Promise<Contender> {
  await vm.log.waitForLine({ pattern: "raw", timeoutMs: LIMIT_MS });
  let missing = 0;
  let done = () => {};
  const count = (bytes: Uint8Array): void => {
    missing -= bytes.length;
    if (missing <= 0) done();
  };
  vm.control.receive = count;
  vm.log.push = count;
  const move = (command: string, bytes: number) =>
    new Promise<void>((resolve) => {
      missing = bytes;
      done = resolve;
      vm.control.sendLine({ line: command, allowOversize: true });
    });
  return {
    measure: async () => {
      const outMs = performance.now();
      await move("O", RAW_BYTES);
      const out = perSecond(RAW_BYTES, outMs);
      const inMs = performance.now();
      // The line end is the last byte that it takes.
      await move(`I${"x".repeat(RAW_BYTES - 1)}`, 1);
      return { out, in: perSecond(RAW_BYTES, inMs) };
    },
  };
}

async function compare(kind: Kind, raw: string, progress: (line: string) => void): Promise<Row> {
  const { path } = await buildImage({ arch: kind.arch });
  const vms = [await kind.launch(path), await kind.launch(raw)] as const;
  try {
    const contenders = [await channel(vms[0]), await rawPort(vms[1])];
    const speeds = contenders.map((): Speeds[] => []);
    for (let run = -1; run < RUNS; run++) {
      progress(`${kind.name}: ${run < 0 ? "warming up" : `run ${run + 1} of ${RUNS}`}`);
      for (const [index, contender] of contenders.entries()) {
        const speed = await contender.measure();
        if (run >= 0) speeds[index]?.push(speed);
      }
    }
    const median = (index: number, way: keyof Speeds) =>
      figures("", speeds[index]?.map((it) => it[way]) ?? []).median;
    const both = (way: keyof Speeds) => {
      const [ours, port] = [median(0, way), median(1, way)];
      return { channel: ours, port, ratio: ours / port };
    };
    return { name: kind.name, out: both("out"), in: both("in") };
  } finally {
    for (const vm of vms) await vm.kill();
  }
}

/** Bytes a second, and how the two compare. */
interface Compared {
  readonly channel: number;
  readonly port: number;
  readonly ratio: number;
}

interface Row {
  readonly name: string;
  readonly out: Compared;
  readonly in: Compared;
}

function table(rows: readonly Row[]): string {
  const line = (first: string, cells: readonly string[]) =>
    `  ${first.padEnd(26)}${cells.map((cell) => cell.padStart(12)).join("")}`;
  const cells = ({ channel, port, ratio }: Compared) => [
    ...[channel, port].map((speed) => (speed / 1000).toFixed(0)),
    ratio.toFixed(2),
  ];
  const heads = ["out, kB/s", "the port's", "ratio", "in, kB/s", "the port's", "ratio"];
  return [
    line(`${RAW_BYTES >> 10} KiB each way`, heads),
    ...rows.map((row) => line(row.name, [...cells(row.out), ...cells(row.in)])),
  ].join("\n");
}

async function measure(tell: (line: string) => void) {
  const folder = await mkdtemp(join(tmpdir(), "ballonet-serial-"));
  const rows: Row[] = [];
  try {
    for (const kind of KINDS) {
      const raw = join(folder, `${kind.control}.elf`);
      await writeFile(raw, rawGuest(kind.control));
      rows.push(await compare(kind, raw, tell));
    }
  } finally {
    await rm(folder, { recursive: true });
  }
  return { node: process.version, runs: RUNS, bytes: RAW_BYTES, rows };
}

await runBench({ help: HELP, measure, table: ({ rows }) => table(rows) });
