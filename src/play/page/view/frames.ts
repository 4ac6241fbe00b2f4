/** The picture of a guest's frames with its legend and its tip. */
import type { Ledger } from "../machine/ledger.ts";
import { MARK_KINDS, STATE_KINDS } from "./cells.ts";
import { byId, make, setText } from "./elements.ts";
import { Picture } from "./picture.ts";
import { grouped, seconds } from "./words.ts";

export class FramesView {
  readonly picture: Picture;
  private readonly tip: HTMLElement;
  private readonly counts: HTMLElement[];
  private readonly rows: HTMLElement[];
  private ledger: Ledger | undefined;
  private picked: number | undefined;
  private drawn = -1;
  private readonly hint: string;

  /** `prefix` stands before the ids of the view's elements. */
  constructor(prefix: string) {
    this.picture = new Picture(byId(`${prefix}picture`, HTMLCanvasElement));
    this.tip = byId(`${prefix}tip`, HTMLElement);
    this.hint = this.tip.textContent ?? "";
    const kinds = [...STATE_KINDS, ...MARK_KINDS];
    this.counts = kinds.map(() => make("b", "0"));
    this.rows = kinds.map(({ name, meaning }, index) => {
      const tone = make("i");
      tone.style.setProperty("--tone", `var(--${name})`);
      const row = make("li", tone, name, this.counts[index] as HTMLElement);
      row.title = meaning;
      row.dataset.state = name;
      // Only a host that judges can tell what was used too early, and what is lost.
      row.hidden = index >= STATE_KINDS.length;
      return row;
    });
    byId(`${prefix}legend`, HTMLUListElement).replaceChildren(...this.rows);
    this.picture.onPick = (pfn) => {
      this.picked = pfn;
      this.writeTip();
    };
  }

  show(ledger: Ledger, judged: boolean): void {
    this.ledger = ledger;
    this.rows.forEach((row, index) => {
      row.hidden = index >= STATE_KINDS.length && !judged;
    });
    this.picture.show(ledger);
    this.drawn = -1;
    this.refresh();
  }

  /** Draws what has changed, and counts. */
  refresh(): void {
    const { ledger } = this;
    if (ledger === undefined) return;
    if (this.picked !== undefined) this.writeTip();
    if (ledger.version === this.drawn) return;
    this.drawn = ledger.version;
    this.picture.draw();
    STATE_KINDS.forEach((_, index) => {
      this.write(index, ledger.counts[index] as number);
    });
    MARK_KINDS.forEach(({ mark }, index) => {
      this.write(STATE_KINDS.length + index, ledger.marked(mark));
    });
  }

  private write(index: number, count: number): void {
    const row = this.rows[index] as HTMLElement;
    setText(this.counts[index] as HTMLElement, grouped(count));
    if (row.dataset.count !== String(count)) row.dataset.count = String(count);
  }

  private writeTip(): void {
    const { ledger, picked } = this;
    if (ledger === undefined || picked === undefined) {
      setText(this.tip, this.hint);
      return;
    }
    const state = STATE_KINDS[ledger.states[picked] as number]?.name ?? "";
    const mark = MARK_KINDS.find((one) => one.mark === ledger.marks[picked]);
    const since = seconds(performance.now() - (ledger.sinceMs[picked] as number));
    const address = `0x${(picked * 4096).toString(16)}`;
    const said = mark === undefined ? state : `${state}, ${mark.meaning}`;
    setText(this.tip, `frame ${grouped(picked)} at ${address}: ${said}, for ${since}`);
  }
}
