/**
 * The testbed: runs a scenario on one build of the driver and collects all that was broken, by the
 * device's judge and by the scenario's own checks. A scenario that throws half-way is judged by what
 * its machines saw until then.
 */
import { formatVerdict, type Machine } from "../../src/device/index.ts";
import { createWasmVm } from "../../src/embed/example/vm.ts";
import { cooperative, follow, gentle } from "../../src/index.ts";
import { coreModule, createTestVm, type TestVm, type TestVmOptions } from "../support/vm.ts";
import type { BehaviourId } from "./tables/behaviours.ts";

/** A build of the driver to be tested. */
export interface Build {
  readonly core: WebAssembly.Module;
  readonly createWasmVm: typeof createWasmVm;
  readonly follow: typeof follow;
  readonly gentle: typeof gentle;
  readonly cooperative: typeof cooperative;
}

/** The driver as it is. */
const sources: Build = { core: coreModule, createWasmVm, follow, gentle, cooperative };

export interface Outcome {
  /** Ids of rules and behaviours, each once. */
  readonly broken: readonly string[];
  /** What was seen, for people. */
  readonly lines: readonly string[];
  /** What the scenario threw. */
  readonly thrown: unknown;
}

/** What `Testbed.checkAtRest` expects to find. */
export interface AtRest {
  /** Pages in the balloon. */
  readonly held: number;
  /** Fewer than num_pages, because the guest has no more to give. */
  readonly memoryShort?: boolean;
}

/** 8 MiB of RAM: a whole huge page or three, and pieces at both ends. */
export const FRAMES = 2048;
/** More rounds than any scenario here needs; a mutant may well never settle. */
const ROUNDS_MAX = 500;

/** One run of a scenario: its machines, and what they and the scenario saw. */
export class Testbed {
  readonly build: Build;
  readonly machines: Machine[] = [];
  private readonly ramOf = new Map<TestVm, number>();
  readonly seen: { readonly id: BehaviourId; readonly line: string }[] = [];

  constructor(build: Build = sources) {
    this.build = build;
  }

  /** A guest whose driver came up. */
  async vm(options: TestVmOptions = {}): Promise<TestVm> {
    try {
      const vm = await this.create(options);
      this.ramOf.set(vm, options.frames ?? FRAMES);
      return vm;
    } catch (error) {
      this.check("B-COMES-UP", false, String(error));
      throw error;
    }
  }

  /** Returns the machine of a device that no driver can bring up, for a look at what became of it. */
  async unusable(options: TestVmOptions = {}): Promise<Machine | undefined> {
    await this.create(options).catch(() => undefined);
    return this.machines.at(-1);
  }

  /** A machine was made, and no driver has seen it yet. */
  protected meet(machine: Machine): void {
    this.machines.push(machine);
  }

  private create(options: TestVmOptions): Promise<TestVm> {
    const { build } = this;
    return createTestVm({
      frames: FRAMES,
      roundsMax: ROUNDS_MAX,
      ...options,
      core: build.core,
      create: build.createWasmVm,
      onMachine: (machine) => this.meet(machine),
    });
  }

  /** Notes a broken behaviour, with what was seen, if it is not as it should be. */
  check(id: BehaviourId, isGood: boolean, seen: string): void {
    if (!isGood) this.seen.push({ id, line: `${id}: ${seen}` });
  }

  /** Lets everything come to rest, then checks what must hold at rest. */
  checkAtRest(vm: TestVm, { held, memoryShort = false }: AtRest): void {
    vm.settle();
    vm.machine.check({ memoryShort });
    const counts = vm.balloon.counts();
    const { reserved, ...shared } = counts;
    const frames = Object.values(shared).reduce((sum, count) => sum + count, 0);
    const wrong = vm.guest.verify();
    this.check("B-PATTERNS", wrong === 0, `${wrong} wrong words`);
    this.check("B-TARGET", vm.machine.heldPages === held, `host has ${vm.machine.heldPages}`);
    this.check("B-SUM", counts.held === held, `${counts.held} held, ${held} expected`);
    this.check("B-SUM", counts.used === vm.guest.frames_held(), `${counts.used} frames used`);
    this.check("B-SUM", frames === this.ramOf.get(vm), `${frames} frames and ${reserved} reserved`);
  }
}

/** Runs one scenario on one build. */
export async function judge(
  scenario: (testbed: Testbed) => Promise<unknown>,
  build: Build = sources,
): Promise<Outcome> {
  const testbed = new Testbed(build);
  let thrown: unknown;
  try {
    await scenario(testbed);
  } catch (error) {
    thrown = error;
    testbed.check("B-NO-TRAP", !(error instanceof WebAssembly.RuntimeError), String(error));
    for (const machine of testbed.machines) machine.check({ memoryShort: true });
  }
  const verdicts = testbed.machines.flatMap(({ verdicts }) => verdicts);
  const lines = [...verdicts.map(formatVerdict), ...testbed.seen.map(({ line }) => line)];
  const broken = [...verdicts.map(({ rule }) => rule), ...testbed.seen.map(({ id }) => id)];
  return { broken: [...new Set<string>(broken)], lines, thrown };
}
