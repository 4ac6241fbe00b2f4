/**
 * What is measured, in which order.
 *
 * Contenders take turns, so that a slow moment of the machine falls on all of them; what does not
 * depend on time is measured once, apart.
 */
import { buildFloor } from "./floor.ts";
import { type Contender, contenders, type GuestName } from "./guests.ts";
import { Samples, type Values } from "./samples.ts";
import {
  countedTrial,
  instructionTrial,
  sparseTrial,
  startTrial,
  type Trial,
  timedTrial,
} from "./trial.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
/** Name of the host's own floor among the guests. */
export const HOST = "host";
/** Of memory that is not there: up to far more than the host has. */
export const SPARSE_BYTES = [512 * MIB, 8 * GIB, 64 * GIB];
/** Where time does not count, the size at which it is looked at. */
const COUNTED_BYTES = 2 * GIB;
/** A boot alone needs little. */
export const START_BYTES = 512 * MIB;
/** As much as is taken from a guest of 2 GiB. */
const FLOOR_MIB = 1536;

export interface Plan {
  readonly runs: number;
  readonly sizes: readonly number[];
  readonly only: readonly GuestName[];
  readonly qemu: string | undefined;
  readonly signal: AbortSignal;
  readonly progress: (line: string) => void;
}

export interface Outcome {
  readonly guests: readonly { readonly name: string; readonly title: string }[];
  readonly samples: Samples;
}

function size(bytes: number): string {
  return bytes % GIB === 0 ? `${bytes / GIB} GiB` : `${bytes / MIB} MiB`;
}

class Measuring {
  readonly samples = new Samples();
  private readonly plan: Plan;
  private readonly contenders: readonly Contender[];

  constructor(plan: Plan, all: readonly Contender[]) {
    this.plan = plan;
    this.contenders = all;
  }

  private async one(
    contender: Contender,
    memoryBytes: number,
    what: string,
    trial: (trial: Trial) => Promise<Values>,
  ): Promise<void> {
    const { qemu, signal, progress } = this.plan;
    progress(`${what}: ${contender.title}, ${size(memoryBytes)}`);
    const options = { contender, memoryBytes, qemu, signal };
    const values = await trial(options).catch((error: Error) => {
      // One bad start of half an hour's many must not cost all of them.
      signal.throwIfAborted();
      progress(`${what}: once more, because of ${error.message}`);
      return trial(options);
    });
    this.samples.add(contender.name, memoryBytes, values);
  }

  async run(number: number): Promise<void> {
    const { sizes, runs } = this.plan;
    const what = `run ${number} of ${runs}`;
    for (const contender of this.contenders) {
      await this.one(contender, START_BYTES, `${what}, start`, startTrial);
    }
    for (const memoryBytes of sizes) {
      for (const contender of this.contenders) {
        await this.one(contender, memoryBytes, `${what}, timed`, timedTrial);
      }
    }
    const ours = this.contenders.find(({ name }) => name === "ballonet");
    if (ours === undefined) return;
    for (const memoryBytes of SPARSE_BYTES) {
      await this.one(ours, memoryBytes, `${what}, sparse`, sparseTrial);
    }
  }

  /** What is the same each time. */
  async once(): Promise<void> {
    for (const contender of this.contenders) {
      this.samples.add(contender.name, undefined, { imageBytes: contender.imageBytes });
      await this.one(contender, COUNTED_BYTES, "counting events", countedTrial);
      await this.one(contender, COUNTED_BYTES, "counting instructions", instructionTrial);
    }
  }
}

export async function measure(plan: Plan): Promise<Outcome> {
  const { runs, signal, progress } = plan;
  const floor = await buildFloor(signal);
  const all = await contenders(plan);
  const measuring = new Measuring(plan, all);
  for (let run = 1; run <= runs; run++) {
    progress(`run ${run} of ${runs}, the host's floor`);
    measuring.samples.add(HOST, undefined, await floor.measure(FLOOR_MIB, signal));
    await measuring.run(run);
  }
  await measuring.once();
  const guests = all.map(({ name, title }) => ({ name, title }));
  return {
    guests: [{ name: HOST, title: "the host's own floor" }, ...guests],
    samples: measuring.samples,
  };
}
