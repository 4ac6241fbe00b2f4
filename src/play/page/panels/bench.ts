/** The one machine that the panels work on: booted, replaced, and told to all who show it. */
import { FIRST_CHOICE, type MachineChoice } from "../machine/choice.ts";
import { LiveMachine, type SavedState } from "../machine/live-machine.ts";
import { setText } from "../view/elements.ts";
import type { Steps } from "../view/steps.ts";
import { messageOf } from "../view/words.ts";

export type BenchState = "starting" | "ready" | "ended";

const ignore = (): void => {};

export class Bench {
  readonly steps: Steps;
  choice: MachineChoice = FIRST_CHOICE;
  /** Called with each machine that has come up. */
  readonly onMachine: ((machine: LiveMachine) => void)[] = [];
  /** Called with the state of the machine, and words about it. */
  onState: (state: BenchState, words: string) => void = () => {};
  private current: LiveMachine | undefined;
  /** Resolves when the last machine that was asked for has come up, or has failed to. */
  private booted: Promise<void> = Promise.resolve();

  constructor(steps: Steps) {
    this.steps = steps;
  }

  /** The machine, where one is up. */
  get running(): LiveMachine | undefined {
    return this.current;
  }

  /** @throws Error while there is no machine. */
  get machine(): LiveMachine {
    if (this.current === undefined) throw new Error("no machine is up: wait, or boot anew");
    return this.current;
  }

  /** Boots a machine in the place of the present one, after all that were asked for before. */
  boot(change: Partial<MachineChoice>, saved?: SavedState): Promise<LiveMachine> {
    // Each has its place in a row: two that begin at once would leave one machine to nobody.
    const turn = this.booted.then(() => this.replace(change, saved));
    this.booted = turn.then(ignore, ignore);
    return turn;
  }

  /** Waits for all machines that were asked for, whatever becomes of them. */
  async settled(): Promise<void> {
    for (let last: unknown; last !== this.booted; ) {
      last = this.booted;
      await last;
    }
  }

  private async replace(change: Partial<MachineChoice>, saved?: SavedState): Promise<LiveMachine> {
    const choice = { ...this.choice, ...change };
    try {
      this.choice = choice;
      this.onState("starting", "booting");
      const before = this.current;
      this.current = undefined;
      await before?.close();
      const machine = await LiveMachine.boot(choice, saved);
      this.current = machine;
      this.announce(machine);
      return machine;
    } catch (error) {
      this.onState("ended", messageOf(error));
      throw error;
    }
  }

  /** Tells everybody of the machine, also when it has been reset or restored. */
  announce(machine: LiveMachine): void {
    for (const listener of this.onMachine) listener(machine);
    this.onState("ready", `ready in ${Math.round(machine.readyMs)} ms`);
    void machine.vmm.exited.then(({ reason }) => {
      if (this.current !== machine) return;
      this.current = undefined;
      this.onState("ended", `the machine has ended: ${reason}`);
    });
  }
}

/** What a step came to, for its panel's line. */
export interface Answer {
  readonly text: string;
  readonly verdict?: "good" | "bad";
}

/** Does a step of a panel, and writes what came of it, or what went wrong, on its line. */
export async function answering(line: HTMLElement, work: () => Promise<Answer>): Promise<void> {
  line.dataset.busy = "yes";
  try {
    const { text, verdict } = await work();
    setText(line, text);
    line.dataset.verdict = verdict ?? "";
  } catch (error) {
    setText(line, messageOf(error));
    line.dataset.verdict = "bad";
  } finally {
    delete line.dataset.busy;
  }
}
