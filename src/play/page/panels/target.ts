/** The target of the balloon: dragged, typed, or chosen; and the figures beside it. */

import { PAGES_PER_MIB } from "../machine/choice.ts";
import type { LiveMachine } from "../machine/live-machine.ts";
import { FRAME_STATES, type FrameState } from "../machine/shared.ts";
import { byId, input, setText } from "../view/elements.ts";
import { Segments } from "../view/segments.ts";
import { Slider } from "../view/slider.ts";
import { grouped, mebibytes } from "../view/words.ts";
import type { Bench } from "./bench.ts";

/** What the guest's kernel and a few programs need, so that a target can be reached. */
const KEPT_MIB = 8;
/** In the bar what the guest has stands left, and what it gave away right, towards the target. */
const ORDER: readonly FrameState[] = [
  "held",
  "inflating",
  "deflating",
  "hinted",
  "reporting",
  "free",
  "used",
  "reserved",
];
const STEP_PAGES = PAGES_PER_MIB / 4;

export class TargetPanel {
  private readonly bench: Bench;
  private readonly slider: Slider;
  private readonly segments = new Segments("segments", ORDER);
  private readonly typed = input("target");
  private wanted: number | undefined;

  constructor(bench: Bench) {
    this.bench = bench;
    this.slider = new Slider({
      bar: "bar",
      handle: "handle",
      step: STEP_PAGES,
      leap: 4 * PAGES_PER_MIB,
      say: (pages) => `${mebibytes(pages)} in the balloon`,
      choose: (pages) => this.choose(pages, true),
    });
    this.typed.addEventListener("change", () => {
      const pages = Math.round(Number(this.typed.value) * PAGES_PER_MIB);
      if (Number.isFinite(pages)) this.choose(pages, false);
    });
    for (const one of document.querySelectorAll<HTMLButtonElement>("[data-share]")) {
      one.addEventListener("click", () => {
        const { running } = this.bench;
        if (running) this.choose(Number(one.dataset.share) * running.pages, false);
      });
    }
  }

  show({ pages }: LiveMachine): void {
    this.slider.bounds(0, pages);
    this.typed.max = String(pages / PAGES_PER_MIB);
  }

  /** Shows what the machine does now. */
  refresh({ ledger, host }: LiveMachine): void {
    const { targetPages, actualPages, signals } = host;
    this.segments.show(ORDER.map((state) => ledger.counts[placeOf(state)] as number));
    this.slider.set(targetPages);
    if (document.activeElement !== this.typed) {
      this.typed.value = String(Math.round((targetPages / PAGES_PER_MIB) * 100) / 100);
    }
    this.write("target", mebibytes(targetPages));
    this.write("actual", mebibytes(actualPages));
    this.write("free", mebibytes(ledger.count("free")));
    this.write("used", mebibytes(ledger.count("used")));
    this.write("kicks", grouped(signals.notifications));
    this.write("interrupts", grouped(signals.interrupts));
  }

  private write(name: string, text: string): void {
    setText(byId(`figure-${name}`, HTMLElement), text);
  }

  /** Sets the target, once a frame of the screen at most. */
  private choose(pages: number, replaces: boolean): void {
    const { running } = this.bench;
    if (running === undefined) return;
    const most = running.pages - KEPT_MIB * PAGES_PER_MIB;
    const bounded = Math.min(most, Math.max(0, Math.round(pages)));
    const isWaiting = this.wanted !== undefined;
    this.wanted = bounded;
    if (isWaiting) return;
    requestAnimationFrame(() => {
      const target = this.wanted ?? bounded;
      this.wanted = undefined;
      running.host.setTarget(target).catch(() => {}); // A machine that has ended says so itself.
      this.tell(running, target, replaces);
    });
  }

  private tell({ choice }: LiveMachine, pages: number, replaces: boolean): void {
    const call =
      choice.device.kind === "v86"
        ? `await vmm.balloon.setTarget({ pages: ${pages} });`
        : `device.setTarget(${pages});`;
    const memory = `${choice.memoryBytes / 2 ** 20}M`;
    const command = `ballonet boot --memory ${memory} --target ${pages}p`;
    this.bench.steps.add(`Target ${mebibytes(pages)}`, [call, command], replaces);
  }
}

function placeOf(state: FrameState): number {
  return FRAME_STATES.indexOf(state);
}
