/** Scenarios that are one thing done on many devices: orders of completion, faults, profiles. */
import {
  type Completion,
  type FaultName,
  faults,
  type ProfileName,
  profiles,
  type RuleId,
} from "../device/index.ts";
import type { JudgedGuest } from "./platform.ts";
import { LeftOut, type Scenario, startHints, upAndDown } from "./scenario.ts";

/** In which order a device returns buffers, and whether it is part of a default run. */
const COMPLETIONS: readonly (readonly [Completion, string, boolean])[] = [
  [{ kind: "late", ms: 5 }, "5 ms late, in their order", true],
  [{ kind: "scattered", ms: 5 }, "each after a time of its own, in any order", true],
  [{ kind: "batched", count: 4, ms: 5 }, "four at a time", false],
  [{ kind: "shuffled", ms: 5 }, "5 ms late, in any order", false],
];

/** Rules that speak of pages which a device never says to have. */
const UNTOLD: readonly RuleId[] = ["D4", "D14"];

const completionScenarios = COMPLETIONS.map(([completion, how, isDefault]) => ({
  name: `completion-${completion.kind}`,
  text: `Targets up and down on a device that returns buffers ${how}.`,
  device: { completion },
  isDefault,
  run: upAndDown,
}));

/** A target of an eighth of memory, which the driver may not reach. */
async function tryToFill(guest: JudgedGuest): Promise<void> {
  guest.device.setTarget(Math.floor(guest.pages / 8));
  await guest.rest();
  guest.device.check({ memoryShort: true });
}

const completionNever: Scenario = {
  name: "completion-never",
  text: "A target on a device that returns no buffer.",
  device: { completion: { kind: "never" } },
  waive: UNTOLD,
  isDefault: false,
  run: async (guest) => {
    await guest.rest();
    await tryToFill(guest);
  },
};

/** With these a driver cannot know that its pages have arrived. */
const UNSEEN: readonly FaultName[] = ["used-unseen", "used-idx-back", "queue-hangs"];

/** Faults that come when the driver is up; a good one meets the others at its start too. */
const LATER: readonly FaultName[] = ["gone", "gone-zeros", "needs-reset"];

/** Accesses after which the device is gone: amid the work for a target. */
const AMID = 4;

/** What the device has to offer so that the fault can strike. */
function offerFor(name: FaultName) {
  if (name.startsWith("hint-")) return { offer: { freePageHint: true } };
  if (name.startsWith("queue-reset-")) return { offer: { ringReset: true } };
  return {};
}

/** Two runs of hints: of the same id, or ended before the driver says STOP. */
async function hintTwice(guest: JudgedGuest): Promise<void> {
  for (let run = 0; run < 2; run += 1) {
    startHints(guest);
    await guest.rest();
    guest.device.finishHinting();
    await guest.rest();
    guest.device.check();
  }
}

/** A driver meets a fault at its start, or while its balloon fills. */
function faultScenario(name: FaultName, does: string): Scenario {
  const isLater = LATER.includes(name);
  return {
    name: `fault-${name}`,
    text: does,
    mayEnd: ["gave up", "lost"],
    ...(UNSEEN.includes(name) && { waive: UNTOLD }),
    isDefault: false,
    device: { ...offerFor(name), ...(!isLater && { faults: [{ name }] }) },
    run: async (guest) => {
      await guest.rest();
      if (isLater) guest.device.inject({ name, after: AMID });
      if (name.startsWith("hint-")) await hintTwice(guest);
      await tryToFill(guest);
      if (guest.device.faultsStruck.has(name)) return;
      throw new LeftOut("the fault did not strike: driver or device use nothing that it spoils");
    },
  };
}

/** Hosts that return no buffer of an inflate. */
const SILENT: readonly ProfileName[] = ["libkrun"];

/** Targets on a device like those of a host in the field. */
function profileScenario(profile: ProfileName): Scenario {
  const isSilent = SILENT.includes(profile);
  return {
    name: `profile-${profile}`,
    text: `${isSilent ? "A target" : "Targets up and down"} on a device like ${profile}'s.`,
    device: { profile },
    ...(isSilent && { waive: UNTOLD }),
    isDefault: false,
    run: isSilent ? completionNever.run : upAndDown,
  };
}

/** Scenarios by kind of device. */
export const deviceScenarios: readonly Scenario[] = [
  ...completionScenarios,
  completionNever,
  ...faults.map(({ name, does }) => faultScenario(name, does)),
  ...(Object.keys(profiles) as ProfileName[])
    .filter((name) => name !== "strict")
    .map(profileScenario),
];
