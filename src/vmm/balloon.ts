/** What the balloons of both emulators have in common: what a target may be, and how to wait. */

import { type Deadline, pollFor } from "./deadline.ts";
import { VmmError } from "./errors.ts";
import { type Balloon, type BalloonState, type BalloonTarget, PAGE_BYTES } from "./vmm.ts";

/** A large balloon under TCG takes some seconds; a minute is long enough to call it stuck. */
const WAIT_FOR_ACTUAL_MS = 60_000;
/** Default limit for statistics, which come once a second while the guest answers. */
const STATISTICS_MS = 10_000;

/** Waits for a number of pages by polling: neither emulator tells of each change of `actual`. */
export abstract class PolledBalloon implements Pick<Balloon, "query" | "waitForActual"> {
  /** Milliseconds between two looks at `actual`. */
  protected abstract readonly pollMs: number;
  /** Returns what the guest said last, for time-outs. */
  protected readonly describeLog: () => string;

  constructor(describeLog: () => string) {
    this.describeLog = describeLog;
  }

  abstract query(options?: Deadline): Promise<BalloonState>;

  /** What waiting for statistics has in common. */
  protected statisticsWait(deadline: Deadline) {
    const what = "statistics from the guest";
    return { what, deadline, defaultMs: STATISTICS_MS, seen: this.describeLog };
  }

  waitForActual(
    options: { pages: number; onProgress?: (actualPages: number) => void } & Deadline,
  ): Promise<BalloonState> {
    const { pages, onProgress } = options;
    let last: number | undefined;
    return pollFor({
      what: `a balloon of ${pages} pages`,
      deadline: options,
      defaultMs: WAIT_FOR_ACTUAL_MS,
      everyMs: this.pollMs,
      seen: () => `a balloon of ${last} pages and ${this.describeLog()}`,
      look: async (deadline) => {
        const state = await this.query(deadline);
        if (state.actualPages !== last) onProgress?.(state.actualPages);
        last = state.actualPages;
        return last === pages ? state : undefined;
      },
    });
  }
}

/**
 * Returns a target as pages in the balloon.
 * @throws VmmError `option` unless 0 <= pages < all pages.
 */
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
