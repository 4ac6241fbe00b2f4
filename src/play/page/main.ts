/** The page: boots a machine, and connects what is shown with what is done. */

import { assets, firstState } from "./machine/assets.ts";
import { FIRST_CHOICE, MIB } from "./machine/choice.ts";
import type { LiveMachine } from "./machine/live-machine.ts";
import { Bench } from "./panels/bench.ts";
import { DriverPanel } from "./panels/driver.ts";
import { HostPanel } from "./panels/host.ts";
import { JudgePanel } from "./panels/judge.ts";
import { LogPanel } from "./panels/log.ts";
import { promptPanel } from "./panels/prompt.ts";
import { TargetPanel } from "./panels/target.ts";
import { WorkloadPanel } from "./panels/workload.ts";
import { TwoMachines } from "./two-machines.ts";
import { button, byId, setText } from "./view/elements.ts";
import { FramesView } from "./view/frames.ts";
import { Steps } from "./view/steps.ts";
import { tabs } from "./view/tabs.ts";
import { Timeline } from "./view/timeline.ts";
import { messageOf } from "./view/words.ts";

/** Ten pictures a second. */
const LOOK_MS = 100;
/** One sample of the time line for so many looks. */
const LOOKS_PER_SAMPLE = 2;

/** For a page that is not shown. */
const PAINT_MS = 300;

const RESUME = "await vmm.resume();";

/** What looking has cost, for who measures it: milliseconds of this page's one thread. */
export interface PageCosts {
  lookMs: number;
  looks: number;
}

/** What a script in the browser's console, and a test, finds as `ballonet`. */
export interface PageHandle {
  readonly bench: Bench;
  readonly frames: FramesView;
  readonly costs: PageCosts;
  readonly two: TwoMachines;
}

function start(): PageHandle {
  const bench = new Bench(new Steps("steps"));
  const frames = new FramesView("");
  const timeline = new Timeline();
  const target = new TargetPanel(bench);
  const workload = new WorkloadPanel(bench);
  const driver = new DriverPanel(bench);
  const judge = new JudgePanel(bench);
  const host = new HostPanel(bench);
  const log = new LogPanel();
  const costs: PageCosts = { lookMs: 0, looks: 0 };
  const two = new TwoMachines();
  promptPanel(bench);
  tabs();
  button("zoom-in").addEventListener("click", () => frames.picture.zoomBy(2));
  button("zoom-out").addEventListener("click", () => frames.picture.zoomBy(0.5));
  button("zoom-whole").addEventListener("click", () => frames.picture.whole());
  bench.onState = showState;
  bench.onMachine.push((machine) => {
    timeline.clear();
    for (const panel of [target, driver, judge, host, log]) panel.show(machine);
    workload.forget();
    frames.show(machine.ledger, machine.host.device !== undefined);
  });
  const look = (machine: LiveMachine) => {
    machine.look();
    judge.refresh(machine);
    frames.refresh();
    target.refresh(machine);
    log.refresh();
    costs.looks += 1;
    if (costs.looks % LOOKS_PER_SAMPLE !== 0) return;
    const { ledger, host: side } = machine;
    timeline.add({
      target: side.targetPages,
      actual: side.actualPages,
      free: ledger.count("free"),
      used: ledger.count("used"),
      kicks: side.signals.notifications,
      interrupts: side.signals.interrupts,
    });
  };
  setInterval(() => {
    if (document.hidden) return;
    const beganMs = performance.now();
    if (two.shown) two.look();
    else if (bench.running !== undefined) look(bench.running);
    costs.lookMs += performance.now() - beganMs;
  }, LOOK_MS);
  // One after the other: the last one says which machines stand still.
  let shown = Promise.resolve();
  const route = () => {
    const isTwo = location.hash === "#two-machines";
    reveal(isTwo);
    shown = shown.then(() => show(isTwo, bench, two));
  };
  addEventListener("hashchange", route);
  route();
  return { bench, frames, costs, two };
}

function reveal(isTwo: boolean): void {
  byId("one", HTMLElement).hidden = isTwo;
  byId("two", HTMLElement).hidden = !isTwo;
  byId("to-one", HTMLElement).toggleAttribute("aria-current", false);
  byId("to-two", HTMLElement).toggleAttribute("aria-current", false);
  byId(isTwo ? "to-two" : "to-one", HTMLElement).setAttribute("aria-current", "page");
}

/** Runs the machines of one of the two views. Those of the other one stand still meanwhile. */
async function show(isTwo: boolean, bench: Bench, two: TwoMachines): Promise<void> {
  try {
    if (isTwo) {
      await bench.settled();
      await bench.running?.vmm.pause();
      await two.show(showState);
    } else {
      await two.hide();
      await bench.settled();
      if (bench.running === undefined) await bootFirst(bench);
      else await bench.running.vmm.resume();
    }
  } catch (error) {
    showState("ended", messageOf(error));
  }
}

/** Boots the first machine: it goes on from the server's state, where there is one. */
async function bootFirst(bench: Bench): Promise<void> {
  const saved = await firstState().catch(() => undefined);
  const { choice } = await bench.boot(FIRST_CHOICE, saved);
  performance.mark("ready");
  const mebibytes = choice.memoryBytes / MIB;
  const launched = `const vmm = await launchV86({ image, memoryBytes: ${mebibytes} << 20`;
  bench.steps.add(
    "The first machine",
    saved
      ? [`${launched}, paused: true });`, "await vmm.snapshots.restore({ state });", RESUME]
      : [`${launched} });`, `ballonet boot --memory ${mebibytes}M`],
  );
}

function showState(state: "starting" | "ready" | "ended", words: string): void {
  const line = byId("state", HTMLElement);
  line.dataset.state = state;
  setText(line, state === "ended" ? "ended" : words);
  const trouble = byId("trouble", HTMLElement);
  trouble.hidden = state !== "ended";
  setText(trouble, state === "ended" ? words : "");
}

declare global {
  var ballonet: PageHandle;
}

/** Waits for a frame on the screen; a page that nobody sees has none. */
function painted(): Promise<void> {
  return new Promise((resolve) => {
    requestAnimationFrame(() => setTimeout(resolve));
    setTimeout(resolve, PAINT_MS);
  });
}

// What comes over the network is asked for first. Failures are told by who needs it.
assets().catch(() => {});
firstState().catch(() => {});
void painted().then(() => {
  globalThis.ballonet = start();
});
