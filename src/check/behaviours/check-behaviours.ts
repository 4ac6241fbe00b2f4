/** Runs behaviours on a host, one after another, and makes a report of them. */
import { setTimeout as sleep } from "node:timers/promises";
import { FailureError } from "../../failure.ts";
import { provideImage } from "../../image/index.ts";
import type { JudgeReport, ScenarioResult } from "../../judge/judge-report.ts";
import { partOf, type Shard } from "../../judge/shard.ts";
import { checkDevice, GRACE_MS, isCallersError, MEMORY_BYTES } from "../check-device.ts";
import type { CheckHostSystem } from "../hosts/host.ts";
import { checkFinding, checkReport } from "../report.ts";
import { behaviours } from "./all.ts";
import type { Behaviour } from "./behaviour.ts";
import { LeftOut, Missed } from "./ends.ts";
import { Field } from "./field.ts";

/** What `checkBehaviours` is given. */
export interface CheckBehavioursOptions {
  readonly host: CheckHostSystem;
  /** Names of behaviours, or of the tests that they are like. Default: all. */
  readonly only?: readonly string[];
  /** Which part of these. Default: all. */
  readonly shard?: Shard | undefined;
  /** Path of the guest with the driver. Default: the package's own, for the host's processor. */
  readonly image?: string;
  /** Milliseconds for each of them. Default 60,000. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal;
  /** Called after each of them. */
  onCheck?(name: string, done: number, of: number): void;
}

const TIMEOUT_MS = 60_000;

/**
 * Boots guests whose balloons work, and returns a report: each behaviour is a scenario in it. One
 * that the host lacks something for is left out, and says what. A machine that does not start, dies
 * or hangs is an outcome. Rejects as `checkDevice` does.
 */
export async function checkBehaviours(options: CheckBehavioursOptions): Promise<JudgeReport> {
  const { host, shard, signal, onCheck } = options;
  const named = chosen(options.only);
  const part = shard === undefined ? named : partOf(named, shard);
  const made = () => provideImage({ arch: host.arch, ...(signal && { signal }) });
  const image = options.image ?? (await made()).path;
  const run = new Run({ ...options, image });
  const results: ScenarioResult[] = [];
  try {
    for (const behaviour of part) {
      results.push(await run.one(behaviour));
      signal?.throwIfAborted();
      onCheck?.(behaviour.name, results.length, part.length);
    }
  } finally {
    await run.end();
  }
  return checkReport(host, { results, scenarios: named.map(({ name }) => name), shard });
}

/** @throws FailureError `usage` for a name that none has. */
function chosen(only: readonly string[] | undefined): readonly Behaviour[] {
  const names = (one: Behaviour) => [one.name, ...(one.like ?? [])];
  const unknown =
    only?.filter((name) => !behaviours.some((one) => names(one).includes(name))) ?? [];
  if (unknown.length > 0) {
    const todo = "take names of `ballonet list behaviours`";
    throw new FailureError({ kind: "usage", what: "behaviours", seen: unknown.join(", "), todo });
  }
  if (only === undefined) return behaviours;
  return behaviours.filter((one) => names(one).some((name) => only.includes(name)));
}

/** A machine that the next behaviour may use, too. */
interface Kept {
  readonly field: Field;
  readonly device: string;
}

class Run {
  private readonly options: CheckBehavioursOptions & { readonly image: string };
  private kept: Kept | undefined;

  constructor(options: CheckBehavioursOptions & { readonly image: string }) {
    this.options = options;
  }

  async end(): Promise<void> {
    await Promise.race([this.kept?.field.kill(), sleep(GRACE_MS, undefined, { ref: false })]);
    this.kept = undefined;
  }

  async one(behaviour: Behaviour): Promise<ScenarioResult> {
    const { host } = this.options;
    const startedMs = performance.now();
    const lacks = behaviour.needs.filter((ability) => !host.can?.includes(ability));
    const missing = [
      ...(lacks.length > 0 ? [`the host's hand: ${lacks.join(", ")}`] : []),
      ...(host.control === undefined && behaviour.run ? ["the guest's control channel"] : []),
    ];
    const end = missing.length > 0 ? { leftOut: missing.join("; ") } : await this.endOf(behaviour);
    return resultOf(behaviour, end, performance.now() - startedMs);
  }

  private async endOf(behaviour: Behaviour): Promise<End> {
    const { timeoutMs = TIMEOUT_MS, signal } = this.options;
    if (behaviour.checks !== undefined) return this.checks(behaviour.checks);
    const limit = AbortSignal.timeout(timeoutMs);
    const abort = signal === undefined ? limit : AbortSignal.any([signal, limit]);
    const over = new AbortController();
    const late = new Promise<End>((resolve) => {
      const end = () => resolve({ crashed: `it did not end within ${timeoutMs} ms` });
      abort.addEventListener("abort", end, { once: true, signal: over.signal });
    });
    try {
      const end = await Promise.race([this.run(behaviour), late]);
      // What is left of a behaviour that failed is nothing for the next one.
      if (end !== HOLDS) await this.end();
      return end;
    } finally {
      over.abort();
    }
  }

  private async run(behaviour: Behaviour): Promise<End> {
    let field: Field | undefined;
    try {
      field = await this.field(behaviour);
      await behaviour.run?.(field);
      await field.move(0);
      return HOLDS;
    } catch (error) {
      if (isCallersError(error)) throw error;
      if (error instanceof LeftOut) return { leftOut: error.message };
      const said = error instanceof Error ? error.message : String(error);
      if (field === undefined) return { crashed: `it does not start: ${said}` };
      const ended = await field.ended();
      const lastLines = field.lastLines;
      if (ended !== undefined) return { crashed: `${ended}: ${said}`, lastLines };
      if (error instanceof Missed) return { missed: said };
      return { crashed: said, lastLines };
    }
  }

  /** Returns the machine of the one before, where it has the same device, or else a new one. */
  private async field({ device = {}, isFromBoot = false }: Behaviour): Promise<Field> {
    const { host, image, signal = new AbortController().signal } = this.options;
    const wished = JSON.stringify(device);
    if (this.kept?.device === wished && !isFromBoot) return this.kept.field;
    await this.end();
    const append = host.control === "com1" ? "ballonet.control=com1" : "";
    const machine = await host.launch({ image, append, memoryBytes: MEMORY_BYTES, device, signal });
    const field = new Field(machine, MEMORY_BYTES);
    this.kept = { field, device: wished };
    if (!isFromBoot) await field.ready();
    return field;
  }

  /** Runs checks of the suite, which say the same. */
  private async checks(only: readonly string[]): Promise<End> {
    await this.end();
    const { host, signal, timeoutMs } = this.options;
    const { results } = await checkDevice({ host, only, timeoutMs, ...(signal && { signal }) });
    const crashed = results.find(({ outcome }) => outcome === "crashed");
    if (crashed) return { crashed: crashed.note ?? "", lastLines: crashed.lastSteps };
    const broken = results.filter(({ findings }) => findings.length > 0);
    const [first] = broken;
    if (first) return { missed: `${first.scenario}: ${first.findings[0]?.seen}` };
    const ran = results.filter(({ outcome }) => outcome !== null);
    return ran.length > 0 ? HOLDS : { leftOut: results[0]?.note ?? "its checks" };
  }
}

/** How a behaviour ended, in words; none of them: it holds. */
interface End {
  readonly leftOut?: string;
  readonly missed?: string;
  readonly crashed?: string;
  readonly lastLines?: readonly string[];
}

const HOLDS: End = {};

function resultOf(behaviour: Behaviour, end: End, tookMs: number): ScenarioResult {
  const { name, like = [], text, isTheirsAlone = false } = behaviour;
  const { leftOut, missed, crashed, lastLines = [] } = end;
  const level = isTheirsAlone ? "SHOULD" : "MUST";
  const section = [name, ...like].join(", ");
  const title = `a host ${text}`;
  return {
    scenario: name,
    text: title,
    outcome: leftOut === undefined ? (crashed === undefined ? "up" : "crashed") : null,
    note: leftOut ?? crashed ?? null,
    lastSteps: lastLines,
    findings:
      missed === undefined
        ? []
        : [checkFinding({ rule: name, level, section, title, seen: missed })],
    passed: crashed === undefined && (missed === undefined || isTheirsAlone),
    tookMs,
  };
}
