/** The panel of the workload: memory that the guest uses, and the verdict on every byte of it. */

import { PAGES_PER_MIB } from "../machine/choice.ts";
import type { JsonObject } from "../machine/shared.ts";
import { button, byId, form, input } from "../view/elements.ts";
import { controlCall } from "../view/steps.ts";
import { bytes, grouped, mebibytes } from "../view/words.ts";
import { type Answer, answering, type Bench } from "./bench.ts";

export class WorkloadPanel {
  private readonly bench: Bench;
  private readonly line = byId("workload-answer", HTMLElement);
  private handles: number[] = [];
  private seed = 0;

  constructor(bench: Bench) {
    this.bench = bench;
    form("allocate").addEventListener("submit", (event) => {
      event.preventDefault();
      const frames = Math.round(Number(input("workload-mib").value) * PAGES_PER_MIB);
      void answering(this.line, () => this.allocate(frames));
    });
    button("verify").addEventListener(
      "click",
      () => void answering(this.line, () => this.verify()),
    );
    button("free").addEventListener("click", () => void answering(this.line, () => this.free()));
  }

  /** Another machine: it has no workload. */
  forget(): void {
    this.handles = [];
    this.line.dataset.verdict = "";
    this.line.textContent = "No workload yet.";
  }

  async allocate(frames: number): Promise<Answer> {
    this.seed += 1;
    const { handle } = await this.ask("workload.allocate", { frames, seed: this.seed });
    this.handles.push(Number(handle));
    const command = `ballonet boot --workload ${frames * 4}K`;
    this.tell(`Allocate ${mebibytes(frames)}`, "workload.allocate", { frames, seed: this.seed }, [
      command,
    ]);
    return { text: `${mebibytes(frames)} are filled with a pattern of their own.` };
  }

  async verify(): Promise<Answer> {
    const seen = await this.ask("workload.verify");
    const [looked, wrong] = [Number(seen.bytes), Number(seen.mismatches)];
    this.tell(`Verify ${bytes(looked)}`, "workload.verify");
    if (looked === 0) return { text: "There is nothing to verify: allocate some memory first." };
    return wrong === 0
      ? { text: `All ${grouped(looked)} bytes are as they were written.`, verdict: "good" }
      : { text: `${grouped(wrong)} of ${grouped(looked)} bytes were changed.`, verdict: "bad" };
  }

  async free(): Promise<Answer> {
    let frames = 0;
    for (const handle of this.handles.splice(0)) {
      frames += Number((await this.ask("workload.free", { handle })).frames);
      this.tell(`Free ${mebibytes(frames)}`, "workload.free", { handle });
    }
    return { text: frames === 0 ? "There was nothing to free." : `${mebibytes(frames)} are free.` };
  }

  private async ask(method: string, params: JsonObject = {}): Promise<JsonObject> {
    return (await this.bench.machine.ask(method, params)) as JsonObject;
  }

  private tell(what: string, method: string, params?: JsonObject, more: string[] = []): void {
    this.bench.steps.add(what, [controlCall(method, params), ...more]);
  }
}
