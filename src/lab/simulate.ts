/**
 * Plays a policy on a trace of demand in virtual time: the real driver, core and reference device
 * in this process. A minute takes about a second.
 */
import type { FrameRun, Policy, PolicyName, SettingsInput } from "../../runtime/index.ts";
import { createMachine, type ProfileName } from "../device/index.ts";
import { checkedTrace, refuseConfig, type TraceStep } from "./traces.ts";
import { ReferenceVm } from "./vm/reference-vm.ts";

/** What `simulate` is given. */
export interface SimulateOptions {
  /** A policy, or the name of a stock one. */
  readonly policy: Policy | PolicyName;
  /** What the guest's programs use, and what the host asks for. */
  readonly trace: readonly TraceStep[];
  /** How long: at least up to the last step. Default: a second beyond that. */
  readonly durationMs?: number;
  /** The memory that guest and balloon share, in pages of 4 KiB, up to 1 GiB. Default: 64 MiB. */
  readonly pages?: number;
  /** Free pages that inflating leaves to the guest. Default: the driver's. */
  readonly reservePages?: number;
  /** A persona of the driver and changes to it. */
  readonly settings?: SettingsInput;
  /** The device. Default: `qemu`. */
  readonly profile?: ProfileName;
  /** How far apart samples are. Default: 100. */
  readonly sampleMs?: number;
  /** Aborting rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** How things stand at a moment. */
export interface SimulationSample {
  readonly atMs: number;
  readonly targetPages: number;
  /** In the balloon. */
  readonly heldPages: number;
  readonly freePages: number;
  /** What programs have, and what they want to have. */
  readonly usedPages: number;
  readonly wantedPages: number;
}

/** What a policy did with a trace. */
export interface Simulation {
  readonly type: "simulation";
  readonly policy: string;
  readonly pages: number;
  readonly reservePages: number;
  readonly durationMs: number;
  /** Pages that moved into the balloon, and out of it. */
  readonly inflatedPages: number;
  readonly deflatedPages: number;
  /** How often programs began to lack pages, for how long in all, and how many at most. */
  readonly shortages: number;
  readonly shortMs: number;
  readonly shortPagesMost: number;
  /** Mean pages in the balloon, and the mean of what the host asked for. */
  readonly heldPagesMean: number;
  readonly targetPagesMean: number;
  /** Why the policy was not asked any more; null: it was, to the end. */
  readonly trouble: string | null;
  readonly samples: readonly SimulationSample[];
}

const DEFAULT_PAGES = 16_384;
const PAGES_MOST = 262_144;
const TICK_MS = 10;
const DEFAULT_SAMPLE_MS = 100;
/** Beyond the last step. */
const REST_MS = 1000;
/** Virtual time between two looks at the signal. */
const LOOK_MS = 1000;

/** The programs of a guest: they have what they want, or as much of it as there is. */
class Demand {
  private readonly vm: ReferenceVm;
  private readonly runs: FrameRun[] = [];
  pages = 0;

  constructor(vm: ReferenceVm) {
    this.vm = vm;
  }

  follow(wanted: number): void {
    while (this.pages < wanted) {
      const run = this.vm.balloon.allocate(wanted - this.pages);
      if (run === undefined) return;
      this.runs.push(run);
      this.pages += run.length;
    }
    while (this.pages > wanted) {
      const { first, length } = this.runs.pop() as FrameRun;
      const kept = Math.max(0, length - (this.pages - wanted));
      if (kept > 0) this.runs.push({ first, length: kept });
      this.vm.balloon.release({ first: first + kept, length: length - kept });
      this.pages -= length - kept;
    }
  }
}

function checkRange(what: string, value: number, least: number, most: number): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return;
  throw refuseConfig(what, String(value), `give a whole number from ${least} to ${most}`);
}

/**
 * Plays a policy on a trace. The same options give the same result, but for a policy's own chance.
 * Rejects with BallonetError `config` for options that cannot be, and as `createBalloon` does.
 */
export async function simulate(options: SimulateOptions): Promise<Simulation> {
  const { pages = DEFAULT_PAGES, sampleMs = DEFAULT_SAMPLE_MS, profile = "qemu" } = options;
  const trace = checkedTrace(options.trace);
  const lastMs = trace.at(-1)?.atMs ?? 0;
  const { durationMs = Math.ceil(lastMs) + REST_MS } = options;
  checkRange("simulate, pages", pages, 1, PAGES_MOST);
  checkRange("simulate, sampleMs", sampleMs, TICK_MS, 2 ** 31);
  checkRange("simulate, durationMs", durationMs, Math.max(1, Math.ceil(lastMs)), 2 ** 40);
  options.signal?.throwIfAborted();
  const vm = await ReferenceVm.create({
    frames: pages,
    settings: options.settings ?? {},
    machine: (memory) => createMachine({ memory, profile, judging: false }),
  });
  const { balloon } = vm;
  balloon.setPolicy(options.policy);
  if (options.reservePages !== undefined) balloon.setReserve(options.reservePages);
  const demand = new Demand(vm);
  const sums = new Sums();
  const pending = [...trace];
  let targetPages = 0;
  let wantedPages = 0;
  for (let atMs = 0; atMs <= durationMs; atMs += TICK_MS) {
    if (atMs % LOOK_MS === 0) await breath(options.signal);
    for (let step = pending[0]; step && step.atMs <= atMs; step = pending[0]) {
      pending.shift();
      wantedPages = step.usedPages ?? wantedPages;
      if (step.targetPages === undefined || step.targetPages === targetPages) continue;
      targetPages = step.targetPages;
      vm.machine.setTarget(targetPages);
    }
    demand.follow(wantedPages);
    while (vm.deliver());
    balloon.step();
    const { held, free } = balloon.counts();
    const now = { targetPages, heldPages: held, freePages: free };
    sums.add({ atMs, ...now, usedPages: demand.pages, wantedPages }, atMs % sampleMs === 0);
    vm.machine.advance(TICK_MS);
  }
  const { totals, policy, reservePages, lastError } = balloon.status();
  const trouble = lastError?.code === "policy" ? lastError.message : null;
  const moved = { inflatedPages: totals.inflated, deflatedPages: totals.deflated };
  const name = typeof options.policy === "string" ? options.policy : options.policy.name;
  const result = { policy: trouble === null ? policy : name, pages, reservePages, durationMs };
  return { type: "simulation", ...result, ...moved, ...sums.results(), trouble };
}

/** Lets others have the thread. @throws the signal's reason. */
async function breath(signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((done) => setTimeout(done));
  signal?.throwIfAborted();
}

/** What is counted over a simulation, a tick at a time. */
class Sums {
  private readonly samples: SimulationSample[] = [];
  private ticks = 0;
  private held = 0;
  private target = 0;
  private shortages = 0;
  private shortTicks = 0;
  private shortMost = 0;
  private wasShort = false;

  add(sample: SimulationSample, isKept: boolean): void {
    if (isKept) this.samples.push(sample);
    const short = sample.wantedPages - sample.usedPages;
    this.ticks += 1;
    this.held += sample.heldPages;
    this.target += sample.targetPages;
    this.shortTicks += short > 0 ? 1 : 0;
    this.shortages += short > 0 && !this.wasShort ? 1 : 0;
    this.shortMost = Math.max(this.shortMost, short);
    this.wasShort = short > 0;
  }

  results() {
    const { samples, shortages } = this;
    return {
      shortages,
      shortMs: this.shortTicks * TICK_MS,
      shortPagesMost: this.shortMost,
      heldPagesMean: Math.round(this.held / this.ticks),
      targetPagesMean: Math.round(this.target / this.ticks),
      samples,
    };
  }
}
