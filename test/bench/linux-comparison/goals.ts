/**
 * The goals, and whether they were met.
 *
 * A goal whose figures were not all measured is not judged, and a goal is judged by medians of the
 * same run.
 */
import { HOST, SPARSE_BYTES, START_BYTES } from "./plan.ts";
import type { FigureName, Samples } from "./samples.ts";

interface Question {
  readonly title: string;
  /** Of the machine; undefined where it does not matter. */
  readonly memoryBytes: number | undefined;
  readonly seen: number;
  readonly unit: string;
  readonly least?: number;
  readonly most?: number;
}

export interface Goal extends Question {
  readonly isMet: boolean;
}

const OURS = "ballonet";
const REPORTING = "reporting";
const TUNED = "linux-tuned";
const TUNED_REPORTING = "linux-reporting";
/** Kicks, interrupts and accesses to the device's configuration, each. */
const EVENTS_MOST = 64;

type Median = (guest: string, memoryBytes: number | undefined, figure: FigureName) => number;

function ofSize(median: Median, memoryBytes: number): Question[] {
  const at = (guest: string, figure: FigureName) => median(guest, memoryBytes, figure);
  const overFloor = (guest: string) => at(guest, "inflate") / at(HOST, "inflate");
  const tuned = (figure: FigureName) => at(OURS, figure) / at(TUNED, figure);
  const ratio = (title: string, least: number, seen: number) => ({
    title,
    memoryBytes,
    least,
    seen,
    unit: "x",
  });
  const mebibytes = (title: string, most: number, seen: number) => ({
    title,
    memoryBytes,
    most,
    seen,
    unit: "MiB",
  });
  return [
    ratio("inflate, over tuned Linux", 2, tuned("inflate")),
    ratio("inflate, over the host's floor", 0.75, overFloor(OURS)),
    ratio(
      "inflate with reporting, over tuned Linux with it",
      2,
      at(REPORTING, "inflate") / at(TUNED_REPORTING, "inflate"),
    ),
    ratio("inflate with reporting, over the floor", 0.75, overFloor(REPORTING)),
    ratio("inflate again, over tuned Linux", 1.5, tuned("again")),
    ratio("deflate, over tuned Linux", 2, tuned("deflate")),
    ratio(
      "90 % given back with reporting, sooner than tuned Linux inflates",
      20,
      at(TUNED, "inflateMs") / at(REPORTING, "fallMs"),
    ),
    mebibytes("least memory kept", 12, at(OURS, "kept")),
    mebibytes("QEMU's resident set there", 60, at(OURS, "resident")),
  ];
}

function ofEvents(samples: Samples): Question[] {
  const ours = (figure: FigureName) =>
    samples.all.find((it) => it.guest === OURS && it.figure === figure)?.values[0] ?? Number.NaN;
  const events = {
    notifications: ["inflateKicks", "deflateKicks"],
    interrupts: ["inflateInterrupts", "deflateInterrupts"],
    "config writes": ["inflateConfigWrites", "deflateConfigWrites"],
    "config reads": ["inflateConfigReads", "deflateConfigReads"],
  } as const;
  return Object.entries(events).map(([title, both]) => ({
    title: `${title}, the worse of inflate and deflate`,
    memoryBytes: undefined,
    most: EVENTS_MOST,
    seen: Math.max(...both.map(ours)),
    unit: "per GiB",
  }));
}

function ofAll(median: Median): Question[] {
  const costs = SPARSE_BYTES.map((bytes) => 1 / median(OURS, bytes, "sparseInflate"));
  const least = costs[0] ?? Number.NaN;
  return [
    {
      title: "QEMU started to driver ready",
      memoryBytes: START_BYTES,
      most: 300,
      seen: median(OURS, START_BYTES, "readyMs"),
      unit: "ms",
    },
    {
      title: "cost of a page in up to 64 GiB, over 512 MiB",
      memoryBytes: undefined,
      most: 1.2,
      seen: Math.max(...costs) / least,
      unit: "x",
    },
  ];
}

export function judge(samples: Samples, sizes: readonly number[]): Goal[] {
  const median: Median = (...of) => samples.get(...of)?.median ?? Number.NaN;
  const questions = [
    ...sizes.flatMap((bytes) => ofSize(median, bytes)),
    ...ofEvents(samples),
    ...ofAll(median),
  ];
  return questions
    .filter(({ seen }) => Number.isFinite(seen))
    .map((question) => {
      const { seen, least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY } = question;
      return { ...question, isMet: seen >= least && seen <= most };
    });
}
