/**
 * Programs that nobody wrote, in guests on QEMU. Each ends by itself, or by an error that it did
 * not catch, or goes on. None is the guest's end, and the balloon follows.
 *
 * BALLONET_RUNS is how many there are for each processor; BALLONET_SEED is the first one's seed.
 */
import { expect, it } from "vitest";
import { ARCHITECTURES } from "../../support/guests.ts";
import { findOnPath } from "../../support/process-tree.ts";
import { toolOrSkip } from "../../support/tools.ts";
import { isAlone } from "./generated/generated-program.ts";
import { type Arch, Fault, type Ran, runSeeds, shrink } from "./generated/run-seeds.ts";

const PROGRAMS = Number(process.env.BALLONET_RUNS || 20);
const SEED = Number(process.env.BALLONET_SEED || 1);
const SEEDS = Array.from({ length: PROGRAMS }, (_, at) => SEED + at);
/** So many run in one guest, where each ends by itself. */
const AT_ONCE = 50;
const TIMEOUT_MS = 600_000 + 10_000 * PROGRAMS;

class Count {
  readonly outcomes: Record<Ran["outcome"], number> = { ended: 0, failed: 0, "goes on": 0 };
  readonly thrown: Record<string, number> = {};
  readonly faults: string[] = [];
  guests = 0;

  /** Runs as many of these as one guest can. Returns those that are left. */
  async run(arch: Arch, seeds: readonly number[]): Promise<readonly number[]> {
    this.guests += 1;
    try {
      const { outcome, seed, thrown } = await runSeeds(arch, seeds.map(String));
      const ran = outcome === "ended" ? seeds.length : Math.max(1, seeds.indexOf(seed) + 1);
      this.outcomes[outcome] += 1;
      this.outcomes.ended += ran - 1;
      for (const [name, times] of Object.entries(thrown)) {
        this.thrown[name] = (this.thrown[name] ?? 0) + times;
      }
      return seeds.slice(ran);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      const source = await shrink(arch, error.seed);
      this.faults.push(`${error.message}\n${source}`);
      console.error(this.faults.at(-1));
      return seeds.slice(seeds.indexOf(error.seed) + 1);
    }
  }
}

it.concurrent.for(ARCHITECTURES)(
  `outlives ${PROGRAMS} programs on %s`,
  { timeout: TIMEOUT_MS },
  async (arch, context) => {
    const qemu = `qemu-system-${arch}`;
    toolOrSkip(context, findOnPath(qemu), qemu);
    console.log(`generated programs on ${arch}: BALLONET_SEED=${SEED} BALLONET_RUNS=${PROGRAMS}`);
    const began = performance.now();
    const count = new Count();
    let left: readonly number[] = SEEDS.filter((seed) => !isAlone(seed));
    while (left.length > 0) {
      left = [...(await count.run(arch, left.slice(0, AT_ONCE))), ...left.slice(AT_ONCE)];
    }
    for (const seed of SEEDS.filter(isAlone)) await count.run(arch, [seed]);
    const { outcomes, thrown, guests, faults } = count;
    const seconds = Math.round((performance.now() - began) / 1000);
    console.log(`${arch}: ${JSON.stringify({ outcomes, thrown, guests, seconds })}`);
    // Both run at once: which test is the current one is not known.
    context.task.meta.figures = { programs: PROGRAMS };
    expect(faults).toEqual([]);
  },
);
