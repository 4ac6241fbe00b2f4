/**
 * Judges a driver that is a WebAssembly module, in a thread of its own: a driver that never returns
 * is ended, and its other scenarios run in a new thread.
 */
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { type Failure, FailureError } from "../../failure.ts";
import { type DeviceChoice, settingsOf } from "../device-options.ts";
import { judge } from "../judge.ts";
import type { JudgeReport, ScenarioResult } from "../judge-report.ts";
import type { Scenario } from "../scenario.ts";
import type { Shard } from "../shard.ts";
import { wasmDriver } from "./wasm-driver.ts";

/** What `judgeModule` is asked for. */
export interface JudgeModuleOptions {
  /** Its name in the report. */
  readonly name: string;
  /** The module. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly device: DeviceChoice & { readonly profile: string; readonly transport: string };
  readonly scenarios?: readonly string[];
  /** Which part of these to run. Default: all. */
  readonly shard?: Shard | undefined;
  /** Milliseconds after which a scenario counts as hung. Default 60,000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  onScenario?(name: string, done: number, of: number): void;
}

/** What the thread is given at its start. */
export interface WorkerData {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly device: DeviceChoice;
}

/** What the thread answers to the name of a scenario. */
export type WorkerAnswer = { readonly result: ScenarioResult } | { readonly failure: Failure };

const TIMEOUT_MS = 60_000;

/**
 * Judges a module.
 *
 * @throws FailureError `missing` for bytes that are no driver, `usage` for an unknown scenario; the
 *   signal's reason.
 */
export async function judgeModule(options: JudgeModuleOptions): Promise<JudgeReport> {
  const { name: driver, bytes, device, signal, scenarios, timeoutMs = TIMEOUT_MS } = options;
  await wasmDriver(bytes);
  const threads = new Threads({ bytes, device }, timeoutMs);
  const stop = () => void threads.end();
  signal?.addEventListener("abort", stop, { once: true });
  try {
    return await judge({
      driver,
      platform: "in process",
      profile: device.profile,
      transport: device.transport,
      settings: settingsOf(device),
      scenarios,
      shard: options.shard,
      ...(signal && { signal }),
      onScenario: (...progress) => options.onScenario?.(...progress),
      run: (scenario) => threads.run(scenario),
    });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener("abort", stop);
    await threads.end();
  }
}

/** One thread at a time, and a new one after a driver that did not return. */
class Threads {
  private readonly workerData: WorkerData;
  private readonly timeoutMs: number;
  private worker: Worker | undefined;

  constructor(workerData: WorkerData, timeoutMs: number) {
    this.workerData = workerData;
    this.timeoutMs = timeoutMs;
  }

  async run(scenario: Scenario): Promise<ScenarioResult> {
    const { workerData } = this;
    // A bundler that took the file would leave out what it imports.
    const file = new URL(
      /* webpackIgnore: true */ /* @vite-ignore */ "./worker.js",
      import.meta.url,
    );
    const worker = this.worker ?? new Worker(file, { workerData });
    this.worker = worker;
    const answer = await this.ask(worker, scenario.name);
    if (answer === undefined) {
      await this.end();
      return hung(scenario, this.timeoutMs);
    }
    if ("failure" in answer) throw new FailureError(answer.failure);
    return answer.result;
  }

  /** Returns undefined when the thread has ended, or does not answer in time. */
  private async ask(worker: Worker, name: string): Promise<WorkerAnswer | undefined> {
    const over = new AbortController();
    const { signal } = over;
    try {
      worker.postMessage(name);
      return await Promise.race([
        once(worker, "message", { signal }).then(([answer]) => answer as WorkerAnswer),
        once(worker, "exit", { signal }).then(() => undefined),
        setTimeout(this.timeoutMs, undefined, { signal }),
      ]);
    } finally {
      over.abort();
    }
  }

  async end(): Promise<void> {
    const { worker } = this;
    this.worker = undefined;
    await worker?.terminate();
  }
}

function hung({ name, text }: Scenario, timeoutMs: number): ScenarioResult {
  return {
    scenario: name,
    text,
    outcome: "hung",
    note: `the scenario did not end within ${timeoutMs / 1000} s`,
    lastSteps: [],
    findings: [],
    passed: false,
    tookMs: timeoutMs,
  };
}
