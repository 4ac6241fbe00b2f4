/**
 * Every fault of the reference device at every step of a walk: up and down, with statistics and a
 * stop at the end. What a fault ends in stands in a table; one that had no occasion to strike ends
 * as no fault does.
 */
import { describe, expect, it } from "vitest";
import { FRAME_BYTES } from "../../runtime/index.ts";
import { type FaultName, faults } from "../../src/device/index.ts";
import { ENDINGS, type Ending, GOES_ON } from "../conformance/fault-endings.ts";
import { addFigures } from "../support/add-figures.ts";
import { messageBits, verdictLines } from "../support/vm.ts";
import { makeRig, type Rig } from "./driver/rig.ts";
import type { Setup } from "./driver/setups.ts";

const setup: Setup = {
  ...{ seed: 1, profile: "strict", persona: "ballonet", declinesMustTellHost: false },
  way: {
    ...{ transport: "mmio", prefer: "modern", interrupts: "best" },
    ...{ vectors: 0, messages: 32, refusedVectors: 0 },
  },
  ...{ deflateMode: "tell-first", silent: false, refusals: 0 },
  offer: {
    ...{ mustTellHost: true, statsVq: true, deflateOnOom: false },
    ...{ eventIdx: true, indirect: false },
  },
  ...{ ringSize: 4, queueSizeMax: 4, buffersInFlight: 4, pfnsPerBuffer: 2 },
  ...{ frames: 64, hole: { after: 1, frames: 0 }, reservePages: 0, pollMs: 1000 },
  ...{ inflate: { kind: "late", ms: 5 }, deflate: { kind: "late", ms: 5 }, quietWhileBusy: false },
  ...{ usedLength: "zero", staleActual: 0, lastTarget: 0 },
};
const byMessages: Setup = { ...setup, way: { ...setup.way, transport: "modern", vectors: 3 } };

const STOP_STEPS_MAX = 1100;
const STEPS: readonly ((rig: Rig) => void)[] = [
  ({ machine }) => machine.setTarget(12),
  interrupted,
  ({ machine }) => machine.advance(3),
  interrupted,
  ({ machine }) => void machine.requestStats(),
  interrupted,
  ({ machine }) => machine.advance(3),
  interrupted,
  ({ machine }) => machine.setTarget(4),
  interrupted,
  ({ machine }) => machine.advance(6),
  interrupted,
  ({ machine }) => machine.setTarget(9),
  interrupted,
];

function interrupted({ machine, driver }: Rig): void {
  if (machine.interruptPending) driver.interrupt(messageBits(machine));
  driver.step();
}

/** Everything has its turn, some seconds of it. */
function pass(rig: Rig): void {
  for (let round = 0; round < 6; round++) {
    interrupted(rig);
    rig.machine.run();
    interrupted(rig);
    rig.machine.advance(1000);
  }
}

function walk(chosen: Setup, name: FaultName, at: number): { ending: Ending; struck: boolean } {
  const rig: Rig = makeRig(chosen, {
    allocate: (most) => rig.frames.allocate(most),
    release: (run) => rig.frames.release(run),
  });
  const { machine, driver, guest } = rig;
  driver.start();
  driver.step();
  guest.grow(20, 7);
  STEPS.forEach((step, n) => {
    if (n === at) machine.inject({ name });
    step(rig);
  });
  pass(rig);
  const { error, stateName: before } = driver;
  driver.stop();
  for (let n = 0; n < STOP_STEPS_MAX && driver.stateName === "stopping"; n++) {
    machine.advance(1);
    driver.step();
  }
  machine.audit();
  expect(guest.verify()).toBe(0);
  addFigures({ faultsAtSteps: 1, walks: 1, simulatedMs: machine.nowMs });
  addFigures({ bytesVerified: guest.frames_held() * FRAME_BYTES });
  expect(guest.shrink(20)).toBe(0);
  expect(verdictLines(machine)).toEqual([]);
  const last = driver.stateName === "failed" ? driver.error : error;
  const code = before === "gone" ? undefined : last?.code;
  const ending = { before, after: driver.stateName, ...(code && { error: code }) };
  return { ending, struck: machine.faultsStruck.has(name) };
}

const names = faults.map(({ name }) => name);

describe.each([
  { by: "MMIO", chosen: setup },
  { by: "PCI, with messages", chosen: byMessages },
])("over $by, at each of the steps", ({ chosen }) => {
  it.each(names)("%s", (name) => {
    STEPS.forEach((_, at) => {
      const { ending, struck } = walk(chosen, name, at);
      const allowed = [struck ? (ENDINGS[name] ?? GOES_ON) : GOES_ON].flat();
      expect(allowed, `step ${at}, struck: ${struck}`).toContainEqual(ending);
    });
  });
});
