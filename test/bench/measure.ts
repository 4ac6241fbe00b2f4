/**
 * Alternating runs and what they say: median, least and most.
 *
 * It must not know what is measured. Invariant: contenders take turns, so that a slow moment of the
 * machine falls on all of them, and the first round of each, in which code is compiled, is thrown
 * away.
 */

export const RUNS = 5;

export interface Contender {
  readonly name: string;
  /** Does the work once; answers how many units of it. */
  run(): number;
}

export interface Figures {
  readonly name: string;
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** Median, least and most of values of one kind. */
export function figures(name: string, values: readonly number[]): Figures {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (index: number) => sorted[index] ?? Number.NaN;
  return {
    name,
    median: at(Math.floor(sorted.length / 2)),
    least: at(0),
    most: at(sorted.length - 1),
  };
}

/** Nanoseconds per unit of work, for each contender, over RUNS alternating runs. */
export function measureNs(contenders: readonly Contender[]): Figures[] {
  const costs = contenders.map((): number[] => []);
  for (let run = -1; run < RUNS; run++) {
    for (const [index, contender] of contenders.entries()) {
      const start = performance.now();
      const units = contender.run();
      const cost = ((performance.now() - start) * 1e6) / units;
      if (run >= 0) costs[index]?.push(cost);
    }
  }
  return contenders.map(({ name }, index) => figures(name, costs[index] ?? []));
}
