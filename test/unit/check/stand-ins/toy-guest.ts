/**
 * What stands for a guest in a stand-in for a VMM: it follows the target at once, and asks the host
 * for what the checks ask for, when its command line says where.
 */
export interface ToyState {
  target: number;
  actual: number;
}

export class ToyGuest {
  readonly state: ToyState;
  paused = true;
  private text = "";
  private step = 0;
  private readonly write: (text: string) => void;

  constructor(write: (text: string) => void, state: ToyState = { target: 0, actual: 0 }) {
    this.write = write;
    this.state = { ...state };
  }

  boot(append: string): void {
    this.paused = false;
    if (append.includes("check.host=com1")) this.ask();
    else this.write(`ballonet: ready: ${append}\n`);
  }

  goOn(): void {
    this.paused = false;
    this.state.actual = this.state.target;
  }

  setTarget(pages: number): void {
    this.state.target = pages;
    if (!this.paused) this.state.actual = pages;
  }

  receive(text: string): void {
    this.text += text;
    for (let end = this.text.indexOf("\n"); end >= 0; end = this.text.indexOf("\n")) {
      const { id, method, params } = JSON.parse(this.text.slice(0, end));
      this.text = this.text.slice(end + 1);
      this.write(`${JSON.stringify({ jsonrpc: "2.0", id, result: params ?? method })}\n`);
      if (method === "answer") this.answered(params);
    }
  }

  private ask(): void {
    const what = [{ do: "target", pages: 512 }, { do: "target", pages: 5 }, { do: "statistics" }];
    const value = what[this.step];
    if (value === undefined) {
      process.exitCode = 0;
      setTimeout(() => process.exit(), 20);
      return;
    }
    if (this.step === 0) this.write("TAP version 14\n1..3\n# checks A,B,C\n");
    this.write(`${JSON.stringify({ jsonrpc: "2.0", method: "check", params: { value } })}\n`);
  }

  private answered(params: object): void {
    const id = "ABC"[this.step];
    const { actual } = this.state;
    const seen = `${JSON.stringify(params)} ${actual}`.replaceAll("#", "");
    this.write(`ok ${++this.step} - ${id} a device answers # SKIP ${seen}\n`);
    this.ask();
  }
}
