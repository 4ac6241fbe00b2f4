/** A part of the scenarios: those of one machine, where several share the work. */
import { FailureError } from "../failure.ts";

/** Part `number` of `of`, counted from 1. */
export interface Shard {
  readonly number: number;
  readonly of: number;
}

/** More machines than these share no work of minutes. */
const SHARDS_MAX = 1000;

/**
 * Returns the shard that `2/3` names.
 * @throws FailureError `usage`, which calls the setting `what`.
 */
export function parseShard(text: string, what = "shard"): Shard {
  const [, number = 0, of = 0] = (/^(\d{1,4})\/(\d{1,4})$/.exec(text) ?? []).map(Number);
  if (number >= 1 && number <= of && of <= SHARDS_MAX) return { number, of };
  throw new FailureError({
    kind: "usage",
    what,
    seen: `"${text}"`,
    todo: `write K/N with 1 <= K <= N <= ${SHARDS_MAX}, such as 2/3`,
  });
}

/**
 * Returns the shard's part of a list, in the list's order. The parts of one list have nothing in
 * common, are all of it together, and differ by one in size at most.
 */
export function partOf<T>(all: readonly T[], { number, of }: Shard): readonly T[] {
  return all.filter((_, index) => index % of === number - 1);
}
