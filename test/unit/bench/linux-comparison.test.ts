/** The benchmark's own arithmetic: what it reads out of a trace, what it judges, what it shows. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cpio } from "../../../src/judge/agent/cpio.ts";
import { judge } from "../../bench/linux-comparison/goals.ts";
import { formatPage } from "../../bench/linux-comparison/page.ts";
import type { Results } from "../../bench/linux-comparison/results.ts";
import { Samples } from "../../bench/linux-comparison/samples.ts";
import { formatText } from "../../bench/linux-comparison/text.ts";
import { lastMove, traceArguments } from "../../bench/linux-comparison/trace.ts";

const GIB = 2 ** 30;
let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "ballonet-test-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function traceFile(lines: readonly string[]): string {
  const file = join(folder, "trace");
  writeFileSync(file, lines.join("\n"));
  return file;
}

describe("a trace of QEMU's", () => {
  const lines = [
    "7@100.000000:virtio_balloon_to_target balloon target: 0x1000 num_pages: 512",
    "7@100.500000:virtio_balloon_set_config actual: 512 oldactual: 0",
    "7@200.000000:virtio_balloon_to_target balloon target: 0x1000 num_pages: 512",
    "7@200.100000:virtio_balloon_get_config num_pages: 512 actual: 0",
    "7@200.200000:virtio_queue_notify vdev 0x1 n 0 vq 0x2",
    "some other line",
    "7@200.250000:virtio_notify vdev 0x1 vq 0x2",
    "7@200.300000:virtio_balloon_set_config actual: 256 oldactual: 0",
    "7@200.400000:virtio_balloon_set_config actual: 512 oldactual: 256",
    "7@200.900000:virtio_balloon_set_config actual: 512 oldactual: 512",
  ];

  it("tells how long the last move took, and what was said meanwhile", async () => {
    const { seconds, counts } = await lastMove(traceFile(lines), 512);
    expect(seconds).toBeCloseTo(0.4, 6);
    expect(counts).toEqual({ kicks: 1, interrupts: 1, configWrites: 2, configReads: 1 });
  });

  it("that does not hold the move is an error, not a time", async () => {
    await expect(lastMove(traceFile(lines), 256)).rejects.toThrow(/no move to 256 pages/);
    await expect(lastMove(traceFile(lines.slice(2, 8)), 512)).rejects.toThrow(/no move to 512/);
  });

  it("is asked for by name, and counted only on request", () => {
    expect(traceArguments("f", false).filter((it) => it.startsWith("virtio_"))).toHaveLength(2);
    expect(traceArguments("f", true).filter((it) => it.startsWith("virtio_"))).toHaveLength(5);
  });
});

describe("goals", () => {
  function measured(values: { ours: number; tuned: number; floor: number }): Samples {
    const samples = new Samples();
    samples.add("host", undefined, { inflate: values.floor });
    samples.add("ballonet", GIB, { inflate: values.ours });
    samples.add("linux-tuned", GIB, { inflate: values.tuned });
    return samples;
  }
  const verdicts = (samples: Samples) =>
    judge(samples, [GIB]).map(({ title, isMet }) => `${title}: ${isMet}`);

  it("are judged by medians, each against its own bound", () => {
    expect(verdicts(measured({ ours: 200, tuned: 100, floor: 300 }))).toEqual([
      "inflate, over tuned Linux: true",
      "inflate, over the host's floor: false",
    ]);
    const samples = measured({ ours: 200, tuned: 100, floor: 250 });
    samples.add("ballonet", GIB, { inflate: 1 });
    samples.add("ballonet", GIB, { inflate: 199 });
    expect(verdicts(samples)).toEqual([
      "inflate, over tuned Linux: false",
      "inflate, over the host's floor: true",
    ]);
  });

  it("without figures are not judged, and what is no number is no figure", () => {
    const samples = new Samples();
    samples.add("ballonet", GIB, { inflate: Number.NaN, kept: 13 });
    expect(verdicts(samples)).toEqual(["least memory kept: false"]);
  });
});

it("results show each value with its least and its most, and nothing unescaped", () => {
  const samples = new Samples();
  for (const value of [300_000, 100_000, 200_000]) samples.add("a", GIB, { inflate: value });
  const results: Results = {
    host: { qemu: "<q>", kernel: "k", processors: 2, hugePages: "never", node: "n" },
    guests: [{ name: "a", title: "the <guest>" }],
    runs: 3,
    sizes: [GIB],
    samples,
    goals: [],
  };
  expect(formatText(results)).toMatch(/the <guest> +200 \(100 to 300\)/);
  const page = formatPage(results);
  expect(page).toContain("200 (100 to 300)");
  expect(page).toContain("the &#60;guest&#62;");
  expect(page).not.toMatch(/<q>|<guest>|https?:/);
});

it("an archive holds every file where its header says, at multiples of four bytes", () => {
  const given = [
    { name: "bin" },
    { name: "bin/odd", bytes: Buffer.from("12345") },
    { name: "init", bytes: Buffer.from("#!") },
  ];
  const archive = Buffer.from(cpio(given));
  const up = (at: number) => (at + 3) & ~3;
  const found: unknown[] = [];
  for (let at = 0; at < archive.length; ) {
    const field = (index: number) =>
      Number.parseInt(archive.toString("latin1", at + 6 + 8 * index, at + 14 + 8 * index), 16);
    expect(archive.toString("latin1", at, at + 6)).toBe("070701");
    const [mode, size, nameSize] = [field(1), field(6), field(11)];
    const name = archive.toString("latin1", at + 110, at + 110 + nameSize - 1);
    const start = up(at + 110 + nameSize);
    found.push([name, (mode & 0o40000) !== 0, archive.toString("latin1", start, start + size)]);
    at = up(start + size);
  }
  expect(found).toEqual([
    ["bin", true, ""],
    ["bin/odd", false, "12345"],
    ["init", false, "#!"],
    ["TRAILER!!!", false, ""],
  ]);
});
