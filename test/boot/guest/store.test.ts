/**
 * The key-value store of the guide, while the host's target swings by 80 % of the machine's memory.
 * The long form writes `build/store.md`: what the host gets of it, and of the same store on a Map.
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { packageFolder } from "../../../src/package.ts";
import { runProgram } from "../../../src/session/run-program.ts";
import type { Vmm } from "../../../src/vmm/vmm.ts";
import { findOnPath } from "../../support/process-tree.ts";
import { toolOrSkip } from "../../support/tools.ts";
import { programOfGuide } from "../support/guide.ts";

/** The long form is that of `npm run test:long`. */
const LONG_RUNS = 5000;
const LONG_SECONDS = 60;
const SECONDS = Number(process.env.BALLONET_RUNS ?? 0) >= LONG_RUNS ? LONG_SECONDS : 6;
const SWING_MS = 2000;
const SAMPLE_MS = 250;
const PAGE_BYTES = 4096;
const MIB = 2 ** 20;
const WAIT_MS = 600_000;
/** A busy machine gets so far only later. */
const WRITES_MIN = 20;
/** How long a target may take on a busy machine; what a Map never gives is not waited for. */
const PATIENCE_MS = 30_000;

/** What goes on beside the store's methods: reads of what may be gone, writes that must not be. */
const TRAFFIC = `
const VALUE_BYTES = 64 * 1024;
const keys = Math.floor((0.75 * memory.counts().free) / VALUE_BYTES);
let state = 1;
const random = () => {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) / 2 ** 32;
};
const seen = { reads: 0, hits: 0, writes: 0, lost: 0 };
const promised = new Map<string, number>();
setInterval(() => {
  for (let at = 0; at < 20; at++) {
    const key = "v" + Math.floor(keys * random() ** 2);
    seen.reads += 1;
    if (cache.get(key) !== undefined) { seen.hits += 1; continue; }
    // A Map gives nothing back: without this there is no room for what must be kept, either.
    if (env.STORE === "map" && memory.counts().free < MIB) return;
    cache.set(key, memory.allocate(VALUE_BYTES));
  }
  const key = "k" + (seen.writes++ % 256);
  const buffer = memory.allocate(4096);
  new Uint32Array(buffer).fill(seen.writes);
  kept.set(key, buffer);
  promised.set(key, seen.writes);
}, 5);
console.log("serving");
serve("seen", () => {
  for (const [name, written] of promised) {
    const words = new Uint32Array(kept.get(name) ?? new ArrayBuffer(4));
    if (words[0] !== written || words.at(-1) !== written) seen.lost += 1;
  }
  return { ...seen, cachedBytes: memory.counts().buffers };
});
`;

interface Seen {
  readonly reads: number;
  readonly hits: number;
  readonly writes: number;
  readonly lost: number;
  readonly cachedBytes: number;
}

interface Sample {
  readonly ms: number;
  readonly targetBytes: number;
  readonly balloonBytes: number;
  readonly cachedBytes: number;
  readonly hitRate: number;
}

interface Swung {
  readonly samples: readonly Sample[];
  readonly last: Seen;
  /** For each target of 80 %: how long it took, and what the host had in the end. */
  readonly takes: readonly { readonly ms: number; readonly bytes: number; readonly goal: number }[];
}

/** Lets the target swing, and looks at the store meanwhile. */
async function swing(
  vm: Vmm,
  { memoryBytes, seconds, patienceMs }: Record<"memoryBytes" | "seconds" | "patienceMs", number>,
): Promise<Swung> {
  const ask = () => vm.control.request({ method: "seen" }) as Promise<unknown> as Promise<Seen>;
  const goal = Math.floor((0.8 * memoryBytes) / PAGE_BYTES);
  const samples: Sample[] = [];
  const takes: { ms: number; bytes: number; goal: number }[] = [];
  const began = Date.now();
  let last = await ask();
  const isDone = () => Date.now() - began > 1000 * seconds && last.writes >= WRITES_MIN;
  for (let swings = 0; !isDone(); swings++) {
    const pages = swings % 2 === 1 ? goal : 0;
    const swungMs = Date.now();
    await vm.balloon.setTarget({ pages });
    let reachedMs = Number.POSITIVE_INFINITY;
    let actual = 0;
    const isOver = () => Date.now() - swungMs > (actual === pages ? SWING_MS : patienceMs);
    do {
      await sleep(SAMPLE_MS);
      const seen = await ask();
      ({ actualPages: actual } = await vm.balloon.query());
      if (actual === pages) reachedMs = Math.min(reachedMs, Date.now() - swungMs);
      const reads = seen.reads - last.reads;
      samples.push({
        ms: Date.now() - began,
        targetBytes: pages * PAGE_BYTES,
        balloonBytes: actual * PAGE_BYTES,
        cachedBytes: seen.cachedBytes,
        hitRate: reads === 0 ? 0 : (seen.hits - last.hits) / reads,
      });
      last = seen;
    } while (!isOver());
    if (pages > 0)
      takes.push({ ms: reachedMs, bytes: actual * PAGE_BYTES, goal: pages * PAGE_BYTES });
  }
  return { samples, last, takes };
}

const memoryOf = (on: "v86" | "qemu") => (on === "v86" ? 64 : 256) * MIB;

/** Runs the store on `memoryBytes`, and returns how it went. */
async function ran(on: "v86" | "qemu", store: "elastic" | "map", seconds: number): Promise<Swung> {
  const folder = await mkdtemp(join(tmpdir(), "store-test-"));
  const app = join(folder, "store.ts");
  const patienceMs = store === "map" ? SWING_MS : PATIENCE_MS;
  const memoryBytes = memoryOf(on);
  await writeFile(app, `${await programOfGuide("key-value-store")}${TRAFFIC}`);
  const ended = new AbortController();
  const errors: string[] = [];
  try {
    return await new Promise<Swung>((resolve, reject) => {
      runProgram({
        app,
        on,
        memoryBytes,
        env: { STORE: store },
        signal: ended.signal,
        onLine: ({ level, text }) => level === "error" && errors.push(text),
        onStart: (vm) => {
          vm.log
            .waitForLine({ pattern: "program: serving", timeoutMs: WAIT_MS })
            .then(() => swing(vm, { memoryBytes, seconds, patienceMs }))
            .then(resolve, reject);
        },
      }).then((code) => reject(new Error(`ended with ${code}: ${errors}`)), reject);
    });
  } finally {
    ended.abort(new Error("that is all"));
    await rm(folder, { recursive: true });
  }
}

const mean = (values: readonly number[]) => values.reduce((sum, it) => sum + it, 0) / values.length;

it.for([{ on: "v86" }, { on: "qemu" }] as const)(
  "the store loses nothing that it promised to keep, and the host gets its memory, on $on",
  { timeout: WAIT_MS },
  async ({ on }, context) => {
    const tool = "qemu-system-x86_64";
    if (on === "qemu") toolOrSkip(context, findOnPath(tool), tool);
    const { samples, last, takes } = await ran(on, "elastic", SECONDS);
    expect(last.lost).toBe(0);
    expect(last.writes).toBeGreaterThanOrEqual(WRITES_MIN);
    expect(takes.map(({ bytes }) => bytes)).toEqual(takes.map(({ goal }) => goal));
    expect(last.hits).toBeGreaterThan(0);
    // The host has all that it asked for: the rest is a fifth of the memory.
    const squeezed = samples.filter((it) => it.balloonBytes > 0.79 * memoryOf(on));
    for (const { cachedBytes } of squeezed) expect(cachedBytes).toBeLessThan(0.2 * memoryOf(on));
    if (SECONDS < LONG_SECONDS) return;
    const rates = (isSmall: boolean) =>
      samples.filter((it) => it.targetBytes > 0 === isSmall).map(({ hitRate }) => hitRate);
    expect(mean(rates(true))).toBeLessThan(mean(rates(false)));
    await report(on, takes, samples);
  },
);

/** Writes the table and the plot of a long run, beside those of a plain Map. */
async function report(on: "v86" | "qemu", takes: Swung["takes"], samples: Swung["samples"]) {
  const map = await ran(on, "map", SECONDS / 4);
  const mib = (bytes: number) => `${Math.round(bytes / MIB)} MiB`;
  const row = (name: string, all: Swung["takes"]) => {
    const ms = Math.max(...all.map((it) => it.ms));
    const got = mib(Math.min(...all.map(({ bytes }) => bytes)));
    const after = Number.isFinite(ms) ? `${ms} ms` : "never";
    return `| ${name} | ${mib(all[0]?.goal ?? 0)} | ${got} | ${after} |`;
  };
  const bar = (part: number) => "#".repeat(Math.round(40 * part));
  const plot = samples.map(({ ms, balloonBytes, cachedBytes, hitRate }) =>
    [
      (ms / 1000).toFixed(2).padStart(6),
      mib(balloonBytes).padStart(8),
      mib(cachedBytes).padStart(8),
      `${(100 * hitRate).toFixed(0)} %`.padStart(5),
      bar(hitRate),
    ].join("  "),
  );
  const text = [
    `| store on ${on} | asked for | got, at least | after, at most |`,
    "|---|---|---|---|",
    row("ElasticCache", takes),
    row("Map", map.takes),
    "",
    "```",
    "     s   balloon    cached   hits",
    ...plot,
    "```",
    "",
  ];
  await mkdir(join(packageFolder(), "build"), { recursive: true });
  await writeFile(join(packageFolder(), "build", `store-${on}.md`), text.join("\n"));
  // The Map keeps all, so the host does not get what it asks for.
  expect(map.takes.some(({ bytes, goal }) => bytes === goal)).toBe(false);
}
