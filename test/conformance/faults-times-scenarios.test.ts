/**
 * Every fault of the reference device at every action of a scenario: before what the host does,
 * and right after it. Whatever the scenario wanted, no byte of the guest's own changes, no frame is
 * lost, nothing traps, the driver breaks no rule, and its errors are those that the fault may bring.
 *
 * Long runs alone have the time. Of a scenario that repeats itself, the first actions are taken.
 */
import { describe, expect, it } from "vitest";
import { FRAME_STATES } from "../../runtime/core/exports.ts";
import { BallonetError } from "../../runtime/errors.ts";
import {
  type FaultName,
  faults,
  formatVerdict,
  type Machine,
  type RuleId,
} from "../../src/device/index.ts";
import type { TestVm, TestVmOptions } from "../support/vm.ts";
import { errorsOf, rulesOf } from "./fault-endings.ts";
import { type ScenarioName, scenarios } from "./scenarios/scenarios.ts";
import { Testbed } from "./testbed.ts";

const isLong = Number(process.env.BALLONET_RUNS ?? 0) >= 1000;
const ACTIONS = [
  "setTarget",
  "requestStats",
  "startHinting",
  "finishHinting",
  "spuriousInterrupt",
] as const;
const STEPS_MAX = 64;
/** Scenarios whose own checks leave an outcome that can be stated for every fault. */
const TRIED: readonly ScenarioName[] = ["several targets"];
/** What must hold though the scenario's own checks need not. */
const ALWAYS: readonly string[] = ["B-PATTERNS", "B-NO-TRAP"];

/** A testbed that counts steps, and injects a fault at one of them. */
class FaultyBed extends Testbed {
  steps = 0;
  readonly vms: TestVm[] = [];
  private readonly fault: { readonly name: FaultName; readonly at: number } | undefined;

  constructor(fault?: { readonly name: FaultName; readonly at: number }) {
    super();
    this.fault = fault;
  }

  override async vm(options?: TestVmOptions): Promise<TestVm> {
    const vm = await super.vm(options);
    this.vms.push(vm);
    return vm;
  }

  protected override meet(machine: Machine): void {
    super.meet(machine);
    this.step(machine);
    const wrapped = ACTIONS.map((name) => {
      const inner = machine[name].bind(machine) as (...args: unknown[]) => unknown;
      return [
        name,
        (...args: unknown[]) => {
          this.step(machine);
          const result = inner(...args);
          this.step(machine);
          return result;
        },
      ];
    });
    Object.assign(machine, Object.fromEntries(wrapped));
  }

  private step(machine: Machine): void {
    if (this.steps === this.fault?.at) machine.inject({ name: this.fault.name });
    this.steps += 1;
  }

  get hasStruck(): boolean {
    const { name } = this.fault ?? {};
    return name !== undefined && this.machines.some(({ faultsStruck }) => faultsStruck.has(name));
  }
}

interface Allowed {
  /** Codes of errors. */
  readonly allowed: ReadonlySet<string | undefined>;
  readonly rules: readonly RuleId[];
}

/** Runs a scenario. Returns what is wrong whatever happened. */
async function wrongIn(
  bed: FaultyBed,
  scenario: ScenarioName,
  { allowed, rules }: Allowed,
): Promise<string[]> {
  const wrong: string[] = [];
  try {
    await scenarios[scenario](bed);
  } catch (error) {
    const isAllowed = error instanceof BallonetError && allowed.has(error.code);
    if (!isAllowed) wrong.push(`threw ${String(error).split("\n")[0]}`);
  }
  for (const { balloon, guest } of bed.vms) {
    const { frames, lastError } = balloon.status();
    const words = guest.verify();
    if (words !== 0) wrong.push(`${words} wrong words`);
    const sum = FRAME_STATES.reduce((total, state) => total + frames[state], 0);
    if (!(sum > 0)) wrong.push(`${sum} frames`);
    if (lastError && !allowed.has(lastError.code)) wrong.push(lastError.message);
  }
  const verdicts = bed.machines
    .flatMap((machine) => machine.verdicts)
    .filter(({ rule }) => !rules.includes(rule))
    .map(formatVerdict);
  const always = bed.seen.filter(({ id }) => ALWAYS.includes(id)).map(({ line }) => line);
  return [...wrong, ...verdicts, ...always];
}

describe.runIf(isLong)("every fault at every action of", () => {
  it.each(TRIED)("%s", { timeout: 3_600_000 }, async (name) => {
    const plain = new FaultyBed();
    await scenarios[name](plain);
    const codes = plain.vms.map(({ balloon }) => balloon.status().lastError?.code);
    const steps = Math.min(plain.steps, STEPS_MAX);
    let struck = 0;
    for (const { name: fault } of faults) {
      const allowed = new Set<string | undefined>([...errorsOf(fault), ...codes]);
      for (let at = 0; at < steps; at++) {
        const bed = new FaultyBed({ name: fault, at });
        const wrong = await wrongIn(bed, name, { allowed, rules: rulesOf(fault) });
        expect(wrong, `${fault} at ${at}`).toEqual([]);
        if (bed.hasStruck) struck += 1;
      }
    }
    console.log(`${name}: ${steps * faults.length} walks, ${struck} struck`);
  });
});
