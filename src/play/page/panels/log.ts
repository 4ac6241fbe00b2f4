/** The panel of the log: the lines that the guest prints, while they come. */
import type { LiveMachine } from "../machine/live-machine.ts";
import { byId } from "../view/elements.ts";

const LINES_MAX = 500;

export class LogPanel {
  private readonly box = byId("log", HTMLPreElement);
  private log: LiveMachine["vmm"]["log"] | undefined;
  private next = 0;
  private lines: string[] = [];

  /** Keeps the log alone, which is shown when the machine has ended, too. */
  show({ vmm }: LiveMachine): void {
    if (this.log !== vmm.log) {
      this.next = 0;
      this.lines = [];
    }
    this.log = vmm.log;
    this.refresh();
  }

  refresh(): void {
    const { log } = this;
    if (log === undefined || log.nextNumber === this.next) return;
    this.lines.push(...log.lines.slice(Math.max(0, this.next - log.firstNumber)));
    this.lines = this.lines.slice(-LINES_MAX);
    this.next = log.nextNumber;
    this.box.textContent = this.lines.join("\n");
    this.box.scrollTop = this.box.scrollHeight;
  }
}
