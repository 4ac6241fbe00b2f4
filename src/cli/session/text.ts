/**
 * A session's events as lines of text.
 */
import type {
  Booting,
  Failed,
  FreshStatistics,
  Reached,
  Ready,
  Reported,
  SessionStep,
  Summary,
  TargetSet,
} from "../../session/events.ts";
import type { Paint } from "../../text/style.ts";
import { counted, formatBytes, formatCount, formatPages } from "../../text/units.ts";
import { buildLine } from "../progress.ts";
import { LABEL_CHARS, labelled } from "../terminal.ts";
import { gaugeWords } from "./gauge.ts";

const INDENT = " ".repeat(LABEL_CHARS);

/** 45 ms, 1.25 s. */
export function formatMs(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`;
}

/** The lines of one event. */
export function eventLines(event: SessionStep, paint: Paint): string[] {
  const label = (name: string, text: string): string => labelled(paint, name, text);
  switch (event.type) {
    case "building":
      return [buildLine(event, paint)];
    case "booting":
      return bootingLines(event, label);
    case "log":
      return [paint("dim", `${INDENT}| ${event.line}`)];
    case "ready":
      return readyLines(event, label);
    case "allocated":
      return [
        label("work", `${formatPages(event.pages)} allocated and filled in ${formatMs(event.ms)}`),
      ];
    case "target":
      return [label("target", targetText(event))];
    case "progress":
      return [`${INDENT}${gaugeWords(event)}`];
    case "reached":
      return [`${INDENT}${reachedText(event)}`];
    case "verified": {
      const judged = counted(event.mismatches, "mismatch", "mismatches");
      const verdict = paint(event.mismatches === 0 ? "green" : "red", judged);
      return [label("verify", `${formatBytes(event.bytes)} in ${formatMs(event.ms)}: ${verdict}`)];
    }
    case "statistics":
      return [label("stats", statisticsText(event))];
    case "freed":
      return [label("free", `${formatPages(event.pages)} given back by the workload`)];
    case "reported":
      return [label("report", reportedLine(event))];
    case "summary":
      return summaryLines(event, paint);
    case "failed":
      return failedLines(event, paint);
  }
}

type Label = (name: string, text: string) => string;

function bootingLines(event: Booting, label: Label): string[] {
  const { on, arch, machine, memoryBytes, image, imageBytes, append } = event;
  const where = [on, ...(machine === null ? [] : [machine]), arch, formatBytes(memoryBytes)];
  return [
    label("image", `${image}, ${formatBytes(imageBytes)}`),
    label("boot", where.join(", ")),
    ...(append === "" ? [] : [`${INDENT}command line: ${append}`]),
  ];
}

function readyLines(event: Ready, label: Label): string[] {
  const queues = event.queues.map(({ role, index, size }) => `${role} ${index} (${size} entries)`);
  const agreed = { true: ", as the emulator says too", false: "", null: "" }[
    `${event.hostAgrees}` as const
  ];
  return [
    label("ready", `after ${formatMs(event.ms)}: balloon found, ${event.transport}`),
    `${INDENT}offered     ${event.offered.join(" ") || "none"}`,
    `${INDENT}negotiated  ${event.negotiated.join(" ") || "none"}${agreed}`,
    `${INDENT}queues      ${queues.join(", ")}`,
    `${INDENT}driver      persona ${event.persona}, policy ${event.policy}, ${event.deflateMode}`,
  ];
}

function targetText({ number, of, pages, memoryPages }: TargetSet): string {
  const share = Math.round((pages / memoryPages) * 100);
  if (pages === 0) return `${number}/${of}: an empty balloon`;
  const words = `${counted(pages, "page")}, ${share}% of memory`;
  return `${number}/${of}: a balloon of ${formatPages(pages)} (${words})`;
}

function reachedText(event: Reached): string {
  const { heldPages, freePages, movedPages, ms, pagesPerSecond, kicks } = event;
  const now = `${formatPages(heldPages)} held, ${formatPages(freePages)} free`;
  if (movedPages === 0) return `${now}: nothing to do`;
  const pace = `${formatCount(pagesPerSecond)} pages/s, ${counted(kicks, "kick")}`;
  return `${now} after ${formatMs(ms)}: ${pace}`;
}

function statisticsText({ values, ms }: FreshStatistics): string {
  const { totalMemory, freeMemory, availableMemory } = values;
  const sizes = Object.entries({
    total: totalMemory,
    free: freeMemory,
    available: availableMemory,
  }).flatMap(([name, bytes]) =>
    bytes === undefined ? [] : [`${name} ${formatBytes(Number(bytes))}`],
  );
  return `${sizes.join(", ") || "none of memory"}, fresh after ${formatMs(ms)}`;
}

function reportedLine({ pages, residentBytesBefore, residentBytes, ms }: Reported): string {
  const reported = `${formatPages(pages)} back at the host after ${formatMs(ms)}`;
  if (residentBytesBefore === null || residentBytes === null) return reported;
  const sizes = `${formatBytes(residentBytesBefore)} before, ${formatBytes(residentBytes)} now`;
  return `${reported}; QEMU's resident set: ${sizes}`;
}

function summaryLines(event: Summary, paint: Paint): string[] {
  const move = (verb: string, pages: number, ms: number): string[] => {
    if (pages === 0) return [];
    const pace = formatCount(Math.round((pages * 1000) / Math.max(ms, 1)));
    return [`${counted(pages, "page")} ${verb} in ${formatMs(ms)} (${pace} pages/s)`];
  };
  const parts = [
    ...move("inflated", event.inflatedPages, event.inflateMs),
    ...move("deflated", event.deflatedPages, event.deflateMs),
  ];
  const mismatches = counted(event.mismatches, "mismatch", "mismatches");
  const verified = `${formatBytes(event.verifiedBytes)} verified, ${mismatches}`;
  const reached =
    event.reportedPages > 0
      ? `${counted(event.reportedPages, "page")} reported`
      : `${counted(event.targets, "target")} reached`;
  const times = `ready after ${formatMs(event.readyMs)}, session of ${formatMs(event.sessionMs)}`;
  return [
    labelled((_, text) => paint("green", text), "good", `${reached}, ${verified}`),
    ...parts.map((part) => `${INDENT}${part}`),
    `${INDENT}${counted(event.kicks, "kick")}; ${times}`,
  ];
}

/** How many of the log's last lines a failure shows. */
const TAIL_LINES = 4;

/** A failure, of a session or of any other command. */
export function failedLines(
  event: Pick<Failed, "what" | "seen" | "todo"> & { logTail?: readonly string[] },
  paint: Paint,
): string[] {
  const tail = (event.logTail ?? []).slice(-TAIL_LINES);
  return [
    labelled((_, text) => paint("red", text), "failed", event.what),
    `${INDENT}seen: ${event.seen.replaceAll("\n", `\n${INDENT}      `)}`,
    `${INDENT}do:   ${event.todo}`,
    ...tail.map((line) => paint("dim", `${INDENT}| ${line}`)),
  ];
}
