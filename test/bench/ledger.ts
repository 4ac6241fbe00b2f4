/**
 * Ledger operations at three sizes of memory, in ledgers that make searching easy and hard.
 *
 * At every size the operations are the same, in a ledger of the same kind, and leave the ledger as
 * they found it.
 */
import { coreGuest, type Guest, PFNS } from "./exchange.ts";
import { type Figures, measureNs } from "./measure.ts";

const FRAMES_PER_GIB = 262_144;
export const SIZES = [
  { name: "1 GiB", frames: FRAMES_PER_GIB },
  { name: "64 GiB", frames: 64 * FRAMES_PER_GIB },
  { name: "1 TiB", frames: 1024 * FRAMES_PER_GIB },
] as const;

const RUN_FRAMES = 16;
/** Enough of each for some tens of milliseconds. */
const SHORT_OPERATIONS = 300_000;
const EXCHANGES = 20_000;
/** Frames left free where a search has to go to the very end: two blocks. */
const TOP_FRAMES = 1024;

interface Operation {
  readonly name: string;
  /** Whether all that lies below the last two blocks is used while it is measured. */
  readonly onlyTopFree: boolean;
  /** Outside the goal where every size is bound to miss the caches in its own way. */
  readonly inGoal: boolean;
  run(guest: Guest): number;
}

function allocateAndRelease({ core }: Guest): number {
  for (let i = 0; i < SHORT_OPERATIONS; i++) {
    const first = core.ledger_allocate(RUN_FRAMES);
    core.ledger_release(first, core.ledger_run());
  }
  return SHORT_OPERATIONS;
}

function exchangeOneBuffer(guest: Guest): number {
  for (let i = 0; i < EXCHANGES; i++) {
    guest.inflate(PFNS);
    guest.deflate(PFNS);
  }
  return EXCHANGES;
}

/** Runs all over memory, so that the cost is that of the machine's caches and not of searching. */
function claimAndReleaseAnywhere({ core, frames }: Guest): number {
  const places = frames / RUN_FRAMES;
  let place = 1;
  for (let i = 0; i < SHORT_OPERATIONS; i++) {
    place = (Math.imul(place, 1_664_525) + 1_013_904_223) >>> 0;
    const first = Math.floor((place / 0x1_0000_0000) * places) * RUN_FRAMES;
    core.ledger_claim(first, RUN_FRAMES);
    core.ledger_release(first, RUN_FRAMES);
  }
  return SHORT_OPERATIONS;
}

const ALL = { onlyTopFree: false, inGoal: true };
const TOP = { onlyTopFree: true, inGoal: true };
const ANYWHERE = { onlyTopFree: false, inGoal: false };

const OPERATIONS: readonly Operation[] = [
  { name: "allocate, release a run; all free", ...ALL, run: allocateAndRelease },
  { name: "allocate, release a run; top free", ...TOP, run: allocateAndRelease },
  { name: "a buffer in and out; all free", ...ALL, run: exchangeOneBuffer },
  { name: "a buffer in and out; top free", ...TOP, run: exchangeOneBuffer },
  { name: "claim, release a run anywhere", ...ANYWHERE, run: claimAndReleaseAnywhere },
];

export interface SizeFigures extends Figures {
  /** Median cost as a multiple of that of the smallest size. */
  readonly ratio: number;
}

export interface OperationFigures {
  readonly operation: string;
  readonly inGoal: boolean;
  readonly sizes: readonly SizeFigures[];
}

export function measureLedger(progress: (line: string) => void): OperationFigures[] {
  const guests = SIZES.map(({ name, frames }) => ({ name, guest: coreGuest(frames) }));
  return OPERATIONS.map(({ name, onlyTopFree, inGoal, run }) => {
    progress(name);
    const below = ({ frames }: Guest) => frames - TOP_FRAMES;
    if (onlyTopFree) for (const { guest } of guests) guest.core.ledger_claim(0, below(guest));
    const figures = measureNs(guests.map((it) => ({ name: it.name, run: () => run(it.guest) })));
    if (onlyTopFree) for (const { guest } of guests) guest.core.ledger_release(0, below(guest));
    const base = figures[0]?.median ?? Number.NaN;
    return {
      operation: name,
      inGoal,
      sizes: figures.map((size) => ({ ...size, ratio: size.median / base })),
    };
  });
}
