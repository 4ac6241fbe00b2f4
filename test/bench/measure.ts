/**
 * Alternating runs and what they say: median, least and most.
 *
 * Contenders take turns, so that a slow moment of the machine falls on all of them, and the first
 * round of each, in which code is compiled, is thrown away. Time is that of this process on its
 * processor: what others get of a busy machine counts for nobody.
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

function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/**
 * Nanoseconds per unit of work, of each contender in each of RUNS runs. A run is made of `slices`:
 * the more turns are taken in it, the closer the contenders of one run can be compared.
 */
export function costsNs(contenders: readonly Contender[], slices = 1): number[][] {
  const costs = contenders.map((): number[] => []);
  for (let run = -1; run < RUNS; run++) {
    const spent = contenders.map(() => ({ ms: 0, units: 0 }));
    for (let slice = 0; slice < slices; slice++) {
      for (const [index, contender] of contenders.entries()) {
        const startMs = processorMs();
        const units = contender.run();
        const sum = spent[index] as { ms: number; units: number };
        sum.ms += processorMs() - startMs;
        sum.units += units;
      }
    }
    if (run < 0) continue;
    for (const [index, { ms, units }] of spent.entries()) costs[index]?.push((ms * 1e6) / units);
  }
  return costs;
}

/** The same over whole runs, as figures. */
export function measureNs(contenders: readonly Contender[]): Figures[] {
  const costs = costsNs(contenders);
  return contenders.map(({ name }, index) => figures(name, costs[index] ?? []));
}
