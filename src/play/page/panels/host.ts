/** The panel of the host: statistics, hinting, and the machine's state: saved, restored, reset. */

import type { LiveMachine } from "../machine/live-machine.ts";
import { keep, kept } from "../machine/saved.ts";
import { button, byId, make } from "../view/elements.ts";
import { bytes, grouped } from "../view/words.ts";
import { type Answer, answering, type Bench } from "./bench.ts";

export class HostPanel {
  private readonly bench: Bench;
  private readonly line = byId("host-answer", HTMLElement);

  constructor(bench: Bench) {
    this.bench = bench;
    this.onClick("statistics", () => this.statistics());
    this.onClick("hint", () => this.hint());
    this.onClick("save", () => this.save());
    this.onClick("restore", () => this.restore());
    this.onClick("reset", () => this.reset());
    kept().then(
      (saved) => {
        button("restore").disabled = saved === undefined;
      },
      () => {}, // A private window keeps nothing: there is nothing to restore.
    );
  }

  show({ choice }: LiveMachine): void {
    // A state of v86 does not hold the reference device, which lives outside of it.
    button("save").disabled = choice.device.kind === "reference";
    byId("statistics-table", HTMLElement).replaceChildren();
  }

  private onClick(id: string, work: () => Promise<Answer>): void {
    button(id).addEventListener("click", () => void answering(this.line, work));
  }

  private async statistics(): Promise<Answer> {
    const tags = await this.bench.machine.host.statistics();
    const rows = Object.entries(tags).map(([name, value]) =>
      make("div", make("dt", name), make("dd", grouped(Number(value)))),
    );
    byId("statistics-table", HTMLElement).replaceChildren(...rows);
    this.bench.steps.add("Statistics", ["const { tags } = await vmm.balloon.statistics();"]);
    return { text: `The driver reported ${rows.length} values.` };
  }

  /** The hinted pages are zeroed by v86, which stores no zeros in a state. */
  private async hint(): Promise<Answer> {
    const { machine } = this.bench;
    const sizes = machine.choice.device.kind === "v86";
    const before = sizes ? (await machine.save()).state.byteLength : 0;
    const hinted = await machine.host.hint();
    const after = sizes ? (await machine.save()).state.byteLength : 0;
    this.bench.steps.add("Hint free pages", [
      "const { hintedBytes } = await vmm.balloon.hint();",
      "const { byteLength } = await vmm.snapshots.save();",
    ]);
    const change = sizes ? ` A saved state had ${bytes(before)}, and now has ${bytes(after)}.` : "";
    return { text: `${bytes(hinted)} were hinted.${change}` };
  }

  private async save(): Promise<Answer> {
    const saved = await this.bench.machine.save();
    await keep(saved);
    button("restore").disabled = false;
    this.bench.steps.add("Save", ["const state = await vmm.snapshots.save();"]);
    return { text: `Saved: ${bytes(saved.state.byteLength)}.` };
  }

  private async restore(): Promise<Answer> {
    const saved = await kept();
    if (saved === undefined) throw new Error("no state was saved");
    await this.bench.boot(saved.choice, saved);
    this.bench.steps.add("Restore", ["await vmm.snapshots.restore({ state });"]);
    return { text: `Restored: ${bytes(saved.state.byteLength)}.` };
  }

  private async reset(): Promise<Answer> {
    const { machine } = this.bench;
    await machine.reset();
    this.bench.announce(machine);
    this.bench.steps.add("Reset", ["await vmm.reset();"]);
    return { text: "The machine has booted anew; its target is as it was." };
  }
}
