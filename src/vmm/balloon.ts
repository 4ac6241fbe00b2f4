/**
 * What the balloons of both emulators have in common: what a target may be, and how to wait.
 *
 * It knows neither emulator.
 *
 * Invariant: a wait for pages ends only when exactly that many were reported.
 */

import { type Patience, pollFor } from "./deadline.ts";
import { VmmError } from "./errors.ts";
import { type BalloonState, type BalloonTarget, PAGE_BYTES } from "./vmm.ts";

/** A large balloon under TCG takes some seconds; a minute is long enough to call it stuck. */
const WAIT_FOR_ACTUAL_MS = 60_000;
/** Statistics come once a second, as long as the guest answers. */
export const STATISTICS_MS = 10_000;

/** The wait that both emulators share. */
export function waitForActual(
  options: {
    pages: number;
    onProgress?: (actualPages: number) => void;
    everyMs: number;
    query: (patience: Patience) => Promise<BalloonState>;
    describeLog: () => string;
  } & Patience,
): Promise<BalloonState> {
  const { pages, onProgress, everyMs, query, describeLog } = options;
  let last: number | undefined;
  return pollFor({
    what: `a balloon of ${pages} pages`,
    patience: options,
    defaultMs: WAIT_FOR_ACTUAL_MS,
    everyMs,
    seen: () => `a balloon of ${last} pages and ${describeLog()}`,
    look: async (patience) => {
      const state = await query(patience);
      if (state.actualPages !== last) onProgress?.(state.actualPages);
      last = state.actualPages;
      return last === pages ? state : undefined;
    },
  });
}

/** A target as pages in the balloon. Throws `option` unless 0 <= pages < all pages. */
export function targetPages(parts: { target: BalloonTarget; memoryBytes: number }): number {
  const { target, memoryBytes } = parts;
  const pages =
    "pages" in target ? target.pages : Math.floor((memoryBytes - target.guestBytes) / PAGE_BYTES);
  const allPages = Math.floor(memoryBytes / PAGE_BYTES);
  if (Number.isSafeInteger(pages) && pages >= 0 && pages < allPages) return pages;
  throw new VmmError({
    code: "option",
    what: "balloon target",
    seen: `${pages} pages of the machine's ${allPages}`,
    todo: "leave the guest at least one page, and no more than it has",
  });
}
