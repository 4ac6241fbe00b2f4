/**
 * What QEMU itself writes down of a balloon: each event with the time at which it happened.
 *
 * QMP's answers wait until QEMU's main loop is free, which a busy balloon keeps from it; so times
 * are taken from QEMU's own trace. A move is what lies between the request and the first `actual`
 * that meets it.
 */
import { readFile } from "node:fs/promises";

/** As QEMU names them. */
const REQUEST = "virtio_balloon_to_target";
const ACTUAL = "virtio_balloon_set_config";
const COUNTED = {
  kicks: "virtio_queue_notify",
  interrupts: "virtio_notify",
  configWrites: ACTUAL,
  configReads: "virtio_balloon_get_config",
} as const;

export type Counts = Readonly<Record<keyof typeof COUNTED, number>>;

/** QEMU's arguments that make it write to `file`; counting takes time, so it is asked for. */
export function traceArguments(file: string, isCounting: boolean): string[] {
  const events = new Set([REQUEST, ACTUAL, ...(isCounting ? Object.values(COUNTED) : [])]);
  const enabled = [...events].flatMap((name) => ["-trace", name]);
  return ["-D", file, "-msg", "timestamp=on", ...enabled];
}

interface Event {
  readonly name: string;
  readonly seconds: number;
  readonly text: string;
}

/** 1234@1700000000.123456:name its values */
const LINE = /^(?:\d+@)?(\d+\.\d+):(\w+) (.*)$/gm;

function parse(log: string): Event[] {
  return [...log.matchAll(LINE)].map(([, seconds = "", name = "", text = ""]) => ({
    name,
    seconds: Number(seconds),
    text,
  }));
}

function isRequest({ name, text }: Event, pages: number): boolean {
  return name === REQUEST && text.endsWith(`num_pages: ${pages}`);
}

function isReached({ name, text }: Event, pages: number): boolean {
  return name === ACTUAL && text.startsWith(`actual: ${pages} `);
}

export interface Move {
  readonly seconds: number;
  readonly counts: Counts;
}

/** The latest move to a balloon of so many pages. @throws Error when the trace has none. */
export async function lastMove(file: string, pages: number): Promise<Move> {
  const events = parse(await readFile(file, "utf8"));
  const from = events.findLastIndex((event) => isRequest(event, pages));
  const to = events.findIndex((event, index) => index > from && isReached(event, pages));
  const [first, last] = [events[from], events[to]];
  if (first === undefined || last === undefined) {
    throw new Error(`${file}: no move to ${pages} pages; this QEMU may trace otherwise`);
  }
  const between = events.slice(from, to + 1);
  const count = (name: string) => between.filter((event) => event.name === name).length;
  const counts = {
    kicks: count(COUNTED.kicks),
    interrupts: count(COUNTED.interrupts),
    configWrites: count(COUNTED.configWrites),
    configReads: count(COUNTED.configReads),
  };
  return { seconds: last.seconds - first.seconds, counts };
}
