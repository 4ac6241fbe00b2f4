/**
 * Every fault of the reference device at every action of every scenario: before and after what the
 * host does, and before what the guest does. Whatever the scenario wanted, no byte of the guest's
 * own changes, no frame is lost, nothing traps, the driver breaks no rule, and its errors are those
 * that the fault may bring.
 *
 * Until it strikes, an armed fault changes nothing. So where one that was armed at an action struck
 * only after some more, or never, the walks of those actions are the same walk, and are walked once.
 *
 * Long runs alone take the whole product; others take one walk of each seventh scenario.
 */
import { describe, expect, it } from "vitest";
import { FRAME_STATES } from "../../runtime/core/exports.ts";
import { FRAME_BYTES } from "../../runtime/core/frames.ts";
import { BallonetError } from "../../runtime/errors.ts";
import { type FaultName, faults, formatVerdict, type RuleId } from "../../src/device/index.ts";
import { addFigures } from "../support/add-figures.ts";
import { errorsOf, rulesOf } from "./fault-endings.ts";
import { type ArmedAt, FaultyBed } from "./faulty-bed.ts";
import { type ScenarioName, scenarios } from "./scenarios/scenarios.ts";

const isLong = Number(process.env.BALLONET_RUNS ?? 0) >= 1000;
/** Of a scenario that repeats itself, the first actions are taken. */
const STEPS_MAX = 30;
const SAMPLE_EVERY = 7;
const NAMES = Object.keys(scenarios) as ScenarioName[];
/** What the scenario sees must hold, though its other checks need not. */
const ALWAYS = /^B-PATTERNS: .* wrong words|^B-NO-TRAP/;

interface Allowed {
  /** Codes of errors. */
  readonly codes: ReadonlySet<string | undefined>;
  readonly rules: ReadonlySet<RuleId>;
}

/** What these faults, each of which has struck, may bring about. */
function allowedBy(names: Iterable<FaultName>, codes: readonly (string | undefined)[]): Allowed {
  const all = [...names];
  return {
    codes: new Set([...codes, ...all.flatMap(errorsOf)]),
    rules: new Set(all.flatMap(rulesOf)),
  };
}

/** A scenario as it is without any fault but its own. */
async function plainRun(scenario: ScenarioName) {
  const bed = new FaultyBed();
  await scenarios[scenario](bed);
  const codes = bed.vms.map(({ balloon }) => balloon.status().lastError?.code);
  return { steps: bed.steps, codes };
}

/** Runs a scenario. Returns what is wrong whatever happened. */
async function wrongIn(
  bed: FaultyBed,
  scenario: ScenarioName,
  plainCodes: readonly (string | undefined)[],
): Promise<string[]> {
  let thrown: unknown;
  try {
    await scenarios[scenario](bed);
  } catch (error) {
    thrown = error;
  }
  const struck = bed.machines.flatMap(({ faultsStruck }) => [...faultsStruck]);
  const { codes, rules } = allowedBy(struck, plainCodes);
  const wrong: string[] = [];
  if (thrown !== undefined && !(thrown instanceof BallonetError && codes.has(thrown.code))) {
    wrong.push(`threw ${String(thrown).split("\n")[0]}`);
  }
  for (const { balloon, guest } of bed.vms) {
    const { frames, lastError } = balloon.status();
    const words = guest.verify();
    addFigures({ bytesVerified: guest.frames_held() * FRAME_BYTES });
    if (words !== 0) wrong.push(`${words} wrong words`);
    const sum = FRAME_STATES.reduce((total, state) => total + frames[state], 0);
    if (!(sum > 0)) wrong.push(`${sum} frames`);
    if (lastError && !codes.has(lastError.code)) wrong.push(lastError.message);
  }
  const verdicts = bed.machines
    .flatMap((machine) => machine.verdicts)
    .filter(({ rule }) => !rules.has(rule))
    .map(formatVerdict);
  const always = bed.seen.map(({ line }) => line).filter((line) => ALWAYS.test(line));
  return [...wrong, ...verdicts, ...always];
}

/** Walks with a fault. Returns at how many actions from this one on the walk would be the same. */
async function walk(
  scenario: ScenarioName,
  { name, at }: ArmedAt,
  { steps, codes }: Awaited<ReturnType<typeof plainRun>>,
): Promise<{ readonly same: number; readonly struck: boolean }> {
  const bed = new FaultyBed({ name, at });
  const wrong = await wrongIn(bed, scenario, codes);
  expect(wrong, `${name} at ${at}`).toEqual([]);
  const simulatedMs = bed.machines.reduce((sum, { nowMs }) => sum + nowMs, 0);
  addFigures({ walks: 1, simulatedMs });
  const end = bed.struckBy ?? steps.length;
  let to = at + 1;
  while (to < end && steps[to] === steps[at]) to += 1;
  return { same: to - at, struck: bed.hasStruck };
}

describe.runIf(isLong)("every fault at every action of", () => {
  it.each(NAMES)("%s", { timeout: 3_600_000 }, async (scenario) => {
    const plain = await plainRun(scenario);
    const most = Math.min(plain.steps.length, STEPS_MAX);
    let struckAt = 0;
    let walks = 0;
    for (const { name } of faults) {
      for (let at = 0; at < most; walks++) {
        const { same, struck } = await walk(scenario, { name, at }, plain);
        const next = Math.min(most, at + same);
        if (struck) struckAt += next - at;
        at = next;
      }
    }
    addFigures({ faultsAtSteps: most * faults.length });
    const all = `${most * faults.length} of ${plain.steps.length * faults.length}`;
    console.log(`${scenario}: ${all} faults and actions, ${struckAt} struck, ${walks} walks`);
  });
});

describe.runIf(!isLong)("a fault at an action of", () => {
  const sample = NAMES.map((name, index) => [name, index] as const);
  it.each(sample.filter(([, index]) => index % SAMPLE_EVERY === 0))("%s", async (scenario, n) => {
    const plain = await plainRun(scenario);
    const fault = faults[(n / SAMPLE_EVERY) % faults.length];
    const steps = Math.min(plain.steps.length, STEPS_MAX);
    // A scenario of the core alone has no device.
    if (fault === undefined || steps === 0) return;
    const { same } = await walk(scenario, { name: fault.name, at: (7 * n) % steps }, plain);
    expect(same).toBeGreaterThan(0);
    addFigures({ faultsAtSteps: same });
  });
});
