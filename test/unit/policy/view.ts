/** A policy's view to start from: 1 GiB of RAM, all free, nothing asked for. */
import type { PolicyView } from "../../../runtime/policy/policy.ts";

export const TOTAL_PAGES = 262_144;
export const RESERVE_PAGES = 256;

export function viewOf(changes: Partial<PolicyView> = {}): PolicyView {
  return {
    nowMs: 1000,
    targetPages: 0,
    targetChangedMs: 0,
    heldPages: 0,
    inflatingPages: 0,
    deflatingPages: 0,
    freePages: TOTAL_PAGES,
    totalPages: TOTAL_PAGES,
    reservePages: RESERVE_PAGES,
    lastInflateMs: undefined,
    lastAnswerMs: undefined,
    shortages: 0,
    lastShortageMs: 0,
    lastOomMs: undefined,
    random: 0,
    deflateOnOom: true,
    offeredPages: undefined,
    asked: undefined,
    ...changes,
  };
}
