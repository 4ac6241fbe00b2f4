/** The thread of `judgeModule`: it is sent the name of a scenario, and answers with its result. */
import { parentPort, workerData } from "node:worker_threads";
import { FailureError } from "../../failure.ts";
import { runScenario, scenariosNamed } from "../judge.ts";
import type { WorkerAnswer, WorkerData } from "./judge-module.ts";
import { inProcess } from "./platform.ts";
import { wasmDriver } from "./wasm-driver.ts";

const { bytes, device } = workerData as WorkerData;
const platform = inProcess(await wasmDriver(bytes), device);

async function answer(name: string): Promise<WorkerAnswer> {
  try {
    const [scenario] = scenariosNamed([name]);
    if (scenario === undefined) throw new Error(`no scenario ${name}`);
    return { result: await runScenario(platform, scenario) };
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
    const { kind, what, seen, todo } = error;
    return { failure: { kind, what, seen, todo } };
  }
}

parentPort?.on("message", (name: string) => {
  void answer(name).then((message) => parentPort?.postMessage(message));
});
