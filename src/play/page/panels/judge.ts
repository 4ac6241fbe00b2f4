/** The panel of the judge: the reference device, its verdicts, faults, and pages that are lost. */

import type { DeviceChoice } from "../machine/choice.ts";
import { MARK } from "../machine/ledger.ts";
import type { LiveMachine } from "../machine/live-machine.ts";
import {
  type Device,
  type FaultName,
  type FoldedVerdict,
  faults,
  type HostDesignName,
  hostDesigns,
  type ProfileName,
  profiles,
} from "../machine/shared.ts";
import { button, byId, fill, form, make, select } from "../view/elements.ts";
import { grouped, mebibytes, messageOf } from "../view/words.ts";
import { type Answer, answering, type Bench } from "./bench.ts";

const USED = 1;
/** How long the host of the demonstration takes to answer: the guest fills its memory before. */
const ANSWER_MS = 20_000;
const WAIT_MS = 10_000;
/** Frames that the demonstration leaves to the guest. */
const LEFT_FRAMES = 512;

export class JudgePanel {
  private readonly bench: Bench;
  private readonly line = byId("judge-answer", HTMLElement);
  private readonly list = byId("verdicts", HTMLOListElement);
  private shown = 0;
  private seenVersion = -1;

  constructor(bench: Bench) {
    this.bench = bench;
    fill(select("design"), Object.keys(hostDesigns));
    fill(select("profile"), Object.keys(profiles));
    select("profile").value = "strict";
    fill(
      select("fault"),
      faults.map(({ name }) => name),
    );
    form("device").addEventListener("submit", (event) => {
      event.preventDefault();
      void answering(this.line, () => this.boot());
    });
    form("inject").addEventListener("submit", (event) => {
      event.preventDefault();
      void answering(this.line, async () => this.inject());
    });
    button("reclaim").addEventListener("click", () => {
      void answering(this.line, async () => this.reclaim(this.bench.machine));
    });
    button("lose").addEventListener("click", () => void answering(this.line, () => this.lose()));
    const kind = select("device-kind");
    const enable = () => {
      select("design").disabled = kind.value === "v86";
      select("profile").disabled = kind.value === "v86";
    };
    kind.addEventListener("change", enable);
    enable();
  }

  show({ choice, host }: LiveMachine): void {
    const { device } = choice;
    const judged = host.device !== undefined;
    select("device-kind").value = device.kind;
    select("design").disabled = !judged;
    select("profile").disabled = !judged;
    if (device.kind === "reference") {
      select("design").value = device.design;
      select("profile").value = device.profile;
    }
    button("inject-button").disabled = !judged;
    button("reclaim").disabled = !judged;
    this.list.replaceChildren();
    this.shown = 0;
    this.seenVersion = -1;
    this.line.dataset.verdict = "";
    this.line.textContent = judged
      ? "No verdict: this driver has kept every rule so far."
      : "Boot with the reference device to see verdicts.";
  }

  /** Shows new verdicts, and marks pages that the guest uses while the host has them. */
  refresh({ host, ledger }: LiveMachine): void {
    const { device } = host;
    if (device === undefined) return;
    if (device.verdicts.length !== this.shown)
      this.list.replaceChildren(...device.summary().map(item));
    this.shown = device.verdicts.length;
    if (ledger.version === this.seenVersion && device.deflatingPages === 0) return;
    this.seenVersion = ledger.version;
    for (let pfn = 0; pfn < ledger.frames; pfn += 1) {
      if (ledger.marks[pfn] === MARK.lost) continue;
      const early = ledger.states[pfn] === USED && device.pageState(pfn) !== "guest";
      ledger.mark(pfn, early ? MARK.early : MARK.none);
    }
  }

  private async boot(): Promise<Answer> {
    const design = select("design").value as HostDesignName;
    const profile = select("profile").value as ProfileName;
    const isOwn = select("device-kind").value === "v86";
    const device: DeviceChoice = isOwn ? { kind: "v86" } : { kind: "reference", design, profile };
    const { readyMs } = await this.bench.boot({ device });
    const text = `Up after ${Math.round(readyMs)} ms.`;
    if (isOwn) {
      this.bench.steps.add("Boot with v86's own balloon", [
        "const vmm = await launchV86({ image, memoryBytes });",
      ]);
      return { text: `${text} v86's own balloon judges nobody.` };
    }
    this.bench.steps.add(`Boot on host ${design}, profile ${profile}`, [
      `const device = createDevice({ memory, hostDesign: "${design}", profile: "${profile}" });`,
      `ballonet judge --kernel guest.elf --host ${design} --profile ${profile}`,
    ]);
    return { text: `${text} ${hostDesigns[design].does}` };
  }

  private inject(): Answer {
    const name = select("fault").value as FaultName;
    const device = this.judged(this.bench.machine);
    device.inject({ name });
    const fault = faults.find((one) => one.name === name);
    this.bench.steps.add(`Fault ${name}`, [`device.inject({ name: "${name}" });`]);
    return { text: `Armed: ${fault?.does} Expected: ${fault?.expected}` };
  }

  private judged({ host }: LiveMachine): Device {
    if (host.device === undefined) throw new Error("this needs the reference device: boot with it");
    return host.device;
  }

  /** The host takes every unlocked page away; what the guest wrote there is lost. */
  private reclaim(machine: LiveMachine): Answer {
    const device = this.judged(machine);
    const { ledger } = machine;
    // The page looks ten times a second: what it saw last may be older than what the host takes.
    machine.look();
    this.refresh(machine);
    const before = device.memory.counted.lost;
    const taken = device.reclaim();
    const lost = device.memory.counted.lost - before;
    const early = ledger.marks.reduce((sum, mark) => sum + (mark === MARK.early ? 1 : 0), 0);
    const isLost = new Set(device.memory.touches.filter((it) => it.lost).map(({ pfn }) => pfn));
    ledger.marks.forEach((mark, pfn) => {
      // The device names the first touches alone: when all are lost, no name is needed.
      if (mark === MARK.early && (lost === early || isLost.has(pfn))) ledger.mark(pfn, MARK.lost);
    });
    this.bench.steps.add("The host reclaims", ["const pages = device.reclaim();"]);
    const pages = `${grouped(taken)} unlocked pages`;
    const text = `The host took ${pages} away; ${grouped(lost)} were in use.`;
    return { text, verdict: lost > 0 ? "bad" : "good" };
  }

  /** The question of this project, as a demonstration: must a driver tell the host first? */
  private async lose(): Promise<Answer> {
    const device = { kind: "reference", profile: "strict", answerMs: ANSWER_MS } as const;
    const machine = await this.bench.boot({
      persona: "windows",
      device: { ...device, design: "locked-always" },
    });
    const { host, ledger, pages } = machine;
    await host.setTarget(pages / 2);
    const reached = () => host.actualPages === pages / 2;
    await until(machine, reached, "the balloon has not reached its target");
    // The page looks ten times a second: what it saw last may be older than what the host was told.
    const freeNow = () => {
      machine.look();
      return ledger.count("free");
    };
    const free = freeNow();
    await host.setTarget(pages / 4);
    await until(machine, () => freeNow() > free, "the driver took nothing back");
    const frames = freeNow() - LEFT_FRAMES;
    await machine.ask("workload.allocate", { frames, seed: 1 });
    const taken = this.reclaim(machine);
    const seen = (await machine.ask("workload.verify")) as { readonly mismatches: number };
    this.bench.steps.add("Windows on a host that unlocks", [
      "ballonet compare deflate --persona windows --host locked-always",
    ]);
    const damaged = mebibytes(Math.round(Number(seen.mismatches) / 4096));
    return {
      ...taken,
      text: `${taken.text} The guest finds about ${damaged} of its data changed.`,
    };
  }
}

/** Rejects with what `otherwise` says after 10 s, and at once when the machine has ended. */
async function until(
  machine: LiveMachine,
  isTrue: () => boolean,
  otherwise: string,
): Promise<void> {
  const endMs = performance.now() + WAIT_MS;
  while (!isTrue()) {
    machine.look();
    if (performance.now() > endMs) throw new Error(messageOf(otherwise));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A rule that was broken: how often, and what shows it the first time. */
function item({ rule, level, section, title, seen, lines, count, pages }: FoldedVerdict) {
  const times = count === 1 ? "" : `, ${grouped(count)} times`;
  const about = pages === undefined ? "" : ` (pages ${pages.ranges})`;
  const name = make("b", rule);
  name.className = "rule";
  const head = make("p", name, " ", make("small", `${level}, ${section}${times}`));
  const trace = make("details", make("summary", "trace"), make("pre", lines.join("\n")));
  return make("li", head, make("p", title), make("p", `Seen: ${seen}${about}`), trace);
}
