/**
 * Sizes and times as people write and read them. Text that could mean two things is refused: a
 * plain number is MiB for QEMU and bytes for others.
 */
import { FailureError } from "../failure.ts";
import { PAGE_BYTES } from "../vmm/vmm.ts";

const UNIT_BYTES = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 } as const;
type Unit = keyof typeof UNIT_BYTES;

/** 256M, 1.5GiB, 64 KiB, 4096B. A fraction must not split a byte. */
const SIZE = /^(\d{1,15}(?:\.\d{1,9})?)\s*([KMGT]?)(i?B)?$/i;
const PAGES = /^(\d{1,15})p$/i;
const PERCENT = /^(\d{1,3}(?:\.\d{1,4})?)%$/;
const DURATION = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m)$/;
const DURATION_MS = { ms: 1, s: 1_000, m: 60_000 } as const;
/** Node's timers end a longer time at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** A balloon's size: pages of 4 KiB, or a share of the machine's memory from 0 to 1. */
export type Target = { readonly pages: number } | { readonly share: number };

function bad(what: string, text: string, todo: string): FailureError {
  return new FailureError({ kind: "usage", what, seen: `"${text}"`, todo });
}

/** Returns bytes. @throws FailureError `usage`, which calls the setting `what`. */
export function parseSize(text: string, what = "size"): number {
  const todo = "write a size with its unit, such as 256M, 64MiB or 1G";
  const match = SIZE.exec(text.trim());
  if (match === null) throw bad(what, text, todo);
  const [, number = "", letter = "", suffix = ""] = match;
  if (letter === "" && suffix === "" && Number(number) !== 0) {
    throw bad(what, text, `${todo} (a plain number could be bytes or MiB)`);
  }
  const bytes = Number(number) * (letter === "" ? 1 : UNIT_BYTES[letter.toUpperCase() as Unit]);
  if (!Number.isSafeInteger(bytes)) throw bad(what, text, "write a whole number of bytes");
  return bytes;
}

/** Returns pages of 4 KiB, from `4096p` or from a size that is a multiple of a page. */
export function parsePages(text: string, what = "size"): number {
  const pages = PAGES.exec(text.trim())?.[1];
  if (pages !== undefined && Number.isSafeInteger(Number(pages) * PAGE_BYTES)) return Number(pages);
  if (pages !== undefined) throw bad(what, text, "write fewer pages");
  const bytes = parseSize(text, what);
  if (bytes % PAGE_BYTES === 0) return bytes / PAGE_BYTES;
  throw bad(what, text, `write a multiple of ${PAGE_BYTES} bytes, or pages as 100p`);
}

/** Reads half, 40%, 4096p, 128M, 0. @throws FailureError `usage`. */
export function parseTarget(text: string): Target {
  const what = "target";
  if (text === "half") return { share: 0.5 };
  const percent = PERCENT.exec(text.trim())?.[1];
  if (percent !== undefined) {
    if (Number(percent) <= 100) return { share: Number(percent) / 100 };
    throw bad(what, text, "write a share from 0% to 100% of the machine's memory");
  }
  try {
    return { pages: parsePages(text, what) };
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
    throw bad(what, text, "write half, 0, a share (40%), a size (128M) or pages (4096p)");
  }
}

/** Returns the target in pages, on a machine with that much memory. */
export function pagesOf(target: Target, memoryBytes: number): number {
  if ("pages" in target) return target.pages;
  return Math.floor((memoryBytes * target.share) / PAGE_BYTES);
}

/** Returns milliseconds, from 30s, 500ms or 2m. @throws FailureError `usage`. */
export function parseDuration(text: string, what = "time"): number {
  const match = DURATION.exec(text.trim());
  const unit = (match?.[2] ?? "s") as keyof typeof DURATION_MS;
  const ms = Number(match?.[1] ?? 0) * DURATION_MS[unit];
  if (ms >= 1 && ms <= TIMER_MS_MAX) return ms;
  throw bad(what, text, "write a time above 0 with its unit, such as 30s, 500ms or 2m");
}

/** 0, 512 B, 4.0 KiB, 64.0 MiB. */
export function formatBytes(bytes: number): string {
  if (bytes < UNIT_BYTES.K) return bytes === 0 ? "0" : `${bytes} B`;
  const units = Object.entries(UNIT_BYTES).filter(([, unitBytes]) => bytes >= unitBytes);
  const [unit, unitBytes] = units.at(-1) ?? ["K", UNIT_BYTES.K];
  return `${(bytes / unitBytes).toFixed(1)} ${unit}iB`;
}

/** Pages as bytes: 4.0 KiB, 64.0 MiB. */
export function formatPages(pages: number): string {
  return formatBytes(pages * PAGE_BYTES);
}

export function yesOrNo(is: boolean): string {
  return is ? "yes" : "no";
}

/** 1,024. */
export function formatCount(count: number): string {
  return count.toLocaleString("en-US");
}

/** 1 kick, 2 kicks. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}
