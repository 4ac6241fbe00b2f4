/**
 * Two guests on one host that has less memory than both could use. Memory moves from one to the
 * other: the one that gives inflates its balloon, and the other one gets what the host then has.
 */
import { firstState } from "./machine/assets.ts";
import { FIRST_CHOICE, PAGES_PER_MIB } from "./machine/choice.ts";
import { LiveMachine } from "./machine/live-machine.ts";
import { byId, setText } from "./view/elements.ts";
import { FramesView } from "./view/frames.ts";
import { Segments } from "./view/segments.ts";
import { Slider } from "./view/slider.ts";
import { Steps } from "./view/steps.ts";
import { mebibytes } from "./view/words.ts";

/** What the host has for both: each guest alone could use 64 MiB. */
const HOST_PAGES = 88 * PAGES_PER_MIB;
/** A guest keeps at least this much. */
const LEAST_PAGES = 24 * PAGES_PER_MIB;

type Tell = (state: "starting" | "ready" | "ended", words: string) => void;

export class TwoMachines {
  shown = false;
  private guests: readonly [LiveMachine, LiveMachine] | undefined;
  private readonly views: readonly [FramesView, FramesView];
  private readonly segments = new Segments("share-segments", ["used", "free", "reporting"]);
  private readonly slider: Slider;
  private readonly steps = new Steps("two-steps");
  /** Pages of each guest: at the last look, and at most. */
  private readonly sizes = [0, 0];
  private readonly most = [0, 0];
  private wanted = HOST_PAGES / 2;
  private starting: Promise<void> | undefined;

  constructor() {
    this.views = [new FramesView("left-"), new FramesView("right-")];
    this.slider = new Slider({
      bar: "share-bar",
      handle: "share",
      step: PAGES_PER_MIB,
      leap: 8 * PAGES_PER_MIB,
      say: (pages) => `${mebibytes(pages)} left, ${mebibytes(HOST_PAGES - pages)} right`,
      choose: (pages) => {
        this.wanted = Math.min(HOST_PAGES - LEAST_PAGES, Math.max(LEAST_PAGES, pages));
        this.tell();
      },
    });
  }

  /** The guests' own machines, left and right, where they are up. */
  get machines(): readonly LiveMachine[] {
    return this.guests ?? [];
  }

  async show(tell: Tell): Promise<void> {
    this.shown = true;
    tell("starting", "booting two");
    this.starting ??= this.boot();
    await this.starting;
    for (const guest of this.guests ?? []) await guest.vmm.resume();
    tell("ready", "both are ready");
  }

  async hide(): Promise<void> {
    this.shown = false;
    await this.starting;
    for (const guest of this.guests ?? []) await guest.vmm.pause();
  }

  /** Draws both guests, and moves memory towards what is wanted. */
  look(): void {
    const { guests } = this;
    if (guests === undefined) return;
    guests.forEach((guest, index) => {
      guest.look();
      this.views[index]?.refresh();
    });
    this.move(guests);
    const [left, right] = guests.map(sizeOf) as [number, number];
    const unused = Math.max(0, HOST_PAGES - left - right);
    this.segments.show([left, unused, right]);
    this.slider.set(this.wanted);
    setText(byId("share-left", HTMLElement), mebibytes(left));
    setText(byId("share-right", HTMLElement), mebibytes(right));
    setText(byId("share-host", HTMLElement), mebibytes(unused));
  }

  private async boot(): Promise<void> {
    const saved = await firstState().catch(() => undefined);
    const both = await Promise.all([
      LiveMachine.boot(FIRST_CHOICE, saved),
      LiveMachine.boot(FIRST_CHOICE, saved),
    ]);
    this.guests = both;
    both.forEach(({ ledger }, index) => {
      this.views[index]?.show(ledger, false);
    });
    this.slider.bounds(0, HOST_PAGES);
  }

  /** What moves memory in code: the guest that gives comes first, and is waited for. */
  private tell(): void {
    const { guests, wanted } = this;
    if (guests === undefined) return;
    const targets = [wanted, HOST_PAGES - wanted].map((goal, index) => {
      const name = index === 0 ? "left" : "right";
      const pages = (guests[index]?.pages ?? 0) - goal;
      const isGiver = goal < sizeOf(guests[index] as LiveMachine);
      const call = `await ${name}.balloon.setTarget({ pages: ${pages} });`;
      const settled = `await ${name}.balloon.waitForActual({ pages: ${pages} });`;
      return { isGiver, code: isGiver ? [call, settled] : [call] };
    });
    const code = targets.sort((a, b) => Number(b.isGiver) - Number(a.isGiver));
    const what = `${mebibytes(wanted)} left, ${mebibytes(HOST_PAGES - wanted)} right`;
    this.steps.add(
      what,
      code.flatMap((one) => one.code),
      true,
    );
  }

  /** Asks the guest that has too much; gives the other one only what the host has. */
  private move(guests: readonly [LiveMachine, LiveMachine]): void {
    const goals = [this.wanted, HOST_PAGES - this.wanted];
    const most = guests.map((guest, index) => this.mostOf(guest, index));
    guests.forEach((guest, index) => {
      const goal = goals[index] as number;
      const size = sizeOf(guest);
      const left = HOST_PAGES - (most[1 - index] as number);
      const next = goal < size ? goal : Math.min(goal, Math.max(size, left));
      const target = guest.pages - next;
      if (target === guest.host.targetPages) return;
      this.most[index] = Math.max(this.most[index] as number, next);
      void guest.host.setTarget(target).catch(() => {});
    });
  }

  /**
   * How many pages a guest may have now: a look is older than the guest, which may still take pages
   * that it was given before. Once its balloon is seen to grow it takes none any more.
   */
  private mostOf(guest: LiveMachine, index: number): number {
    const size = sizeOf(guest);
    const isShrinking = size < (this.sizes[index] as number);
    this.sizes[index] = size;
    this.most[index] = isShrinking ? size : Math.max(size, this.most[index] as number);
    return this.most[index] as number;
  }
}

/** Pages that a guest has from the host. */
function sizeOf({ pages, host }: LiveMachine): number {
  return pages - host.actualPages;
}
