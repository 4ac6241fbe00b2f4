/**
 * What a driver is led through. Each scenario begins with a new device and the host's target at 0,
 * says by its name what the host does, and leaves the judging to the device.
 */
import { type FaultName, faults, type RuleId } from "../device/index.ts";
import type { JudgedGuest, Outcome, ScenarioDevice, SystemActions } from "./platform.ts";

/** One thing that a host does with a balloon. */
export interface Scenario {
  readonly name: string;
  /** What happens, in one sentence. */
  readonly text: string;
  /** How the device differs from the profile. */
  readonly device?: ScenarioDevice;
  /** Outcomes other than `up` that a good driver may come to. */
  readonly mayEnd?: readonly Outcome[];
  /** Rules that a driver cannot keep here, and that are not judged. */
  readonly waive?: readonly RuleId[];
  /** Whether it runs when no scenario was named. */
  readonly isDefault: boolean;
  /** @throws LeftOut when driver or system lack what it needs; GuestLost when the guest is gone. */
  run(guest: JudgedGuest): Promise<void>;
}

/** A scenario cannot be run on this driver or system; the message says what is missing. */
export class LeftOut extends Error {
  constructor(missing: string) {
    super(missing);
    this.name = "LeftOut";
  }
}

/** Milliseconds after which every driver that reports free pages has begun to. */
const REPORTING_MS = 10_000;

/** Sets a target, lets the guest come to rest and judges what shows there. */
async function reach(guest: JudgedGuest, pages: number, memoryShort = false): Promise<void> {
  guest.device.setTarget(pages);
  await guest.rest();
  guest.device.check({ memoryShort });
}

function need<K extends keyof SystemActions>(
  guest: JudgedGuest,
  action: K,
  what: string,
): NonNullable<SystemActions[K]> {
  const found = guest.system[action];
  if (found === undefined) throw new LeftOut(what);
  return found;
}

/** Starts a run of hints. */
function startHints({ device }: JudgedGuest): void {
  if (device.startHinting() === undefined) {
    throw new LeftOut("the driver has not accepted FREE_PAGE_HINT, or the profile has no hints");
  }
}

async function askForStatistics(guest: JudgedGuest): Promise<void> {
  if (!guest.device.requestStats()) {
    throw new LeftOut("the driver has given no buffer for statistics");
  }
  await guest.rest();
  guest.device.check();
}

async function upAndDown(guest: JudgedGuest): Promise<void> {
  const quarter = Math.floor(guest.pages / 4);
  for (const pages of [quarter, Math.floor(quarter / 2), 0]) await reach(guest, pages);
}

async function rebind(guest: JudgedGuest): Promise<void> {
  const unbind = need(guest, "unbind", "the system cannot take the driver from its device");
  const bind = need(guest, "bind", "the system cannot give the device to the driver");
  await reach(guest, Math.floor(guest.pages / 8));
  await unbind();
  await guest.rest();
  guest.device.check();
  await bind();
  await guest.rest();
  await reach(guest, 0);
}

const SCENARIOS: readonly Omit<Scenario, "isDefault">[] = [
  {
    name: "start",
    text: "The driver comes up, and nothing more is asked of it.",
    run: async (guest) => {
      await guest.rest();
      guest.device.check();
    },
  },
  {
    name: "targets",
    text: "The target goes to a quarter of memory, to half of that, and to 0.",
    run: upAndDown,
  },
  {
    name: "reversed",
    text: "The target goes back to 0 before the driver has reached it, and up again.",
    run: async (guest) => {
      const quarter = Math.floor(guest.pages / 4);
      guest.device.setTarget(quarter);
      await guest.pass(1);
      guest.device.setTarget(0);
      await guest.pass(1);
      await reach(guest, quarter);
      await reach(guest, 0);
    },
  },
  {
    name: "unreachable",
    text: "The target is larger than the memory, and then 0.",
    run: async (guest) => {
      await reach(guest, guest.pages + 256, true);
      await reach(guest, 0);
    },
  },
  {
    name: "statistics",
    text: "The host asks for statistics with an empty, a filling and an emptied balloon.",
    run: async (guest) => {
      await guest.rest();
      for (const pages of [0, Math.floor(guest.pages / 8), 0]) {
        await reach(guest, pages);
        await askForStatistics(guest);
      }
    },
  },
  {
    name: "hints",
    text: "Two runs of free page hinting, each ended by the host with DONE.",
    device: { offer: { freePageHint: true } },
    run: async (guest) => {
      await guest.rest();
      for (let run = 0; run < 2; run += 1) {
        startHints(guest);
        await guest.rest();
        guest.device.check();
        guest.device.finishHinting();
        await guest.rest();
        guest.device.check();
      }
    },
  },
  {
    name: "hints-stopped",
    text: "The host stops a run of hinting in the middle, and begins another one.",
    device: { offer: { freePageHint: true } },
    run: async (guest) => {
      await guest.rest();
      startHints(guest);
      await guest.pass(1);
      guest.device.stopHinting();
      await guest.rest();
      guest.device.check();
      startHints(guest);
      await guest.rest();
      guest.device.finishHinting();
      await guest.rest();
      guest.device.check();
    },
  },
  {
    name: "hints-pressure",
    text: "The guest needs its memory while a run of hinting is not done.",
    device: { offer: { freePageHint: true } },
    run: async (guest) => {
      const use = need(guest, "usePages", "the system cannot be asked to use memory");
      const drop = need(guest, "dropPages", "the system cannot be asked to free memory");
      await guest.rest();
      startHints(guest);
      await guest.rest();
      await use(Math.floor(guest.pages / 4));
      await guest.rest();
      guest.device.check();
      guest.device.finishHinting();
      await guest.rest();
      await drop();
      guest.device.check();
    },
  },
  {
    name: "reports",
    text: "Ten seconds pass in which the driver may report free pages.",
    // Some drivers number the queues by what they accept: with both, every convention agrees.
    device: { offer: { freePageHint: true, pageReporting: true } },
    run: async (guest) => {
      await guest.rest();
      await guest.pass(REPORTING_MS);
      await guest.rest();
      if (guest.device.reportedPages.buffers === 0) throw new LeftOut("no free page was reported");
      guest.device.check();
    },
  },
  {
    name: "pressure",
    text: "The guest uses a quarter of its memory while the balloon fills and empties.",
    run: async (guest) => {
      const use = need(guest, "usePages", "the system cannot be asked to use memory");
      const drop = need(guest, "dropPages", "the system cannot be asked to free memory");
      await guest.rest();
      const quarter = Math.floor(guest.pages / 4);
      const isShort = (await use(quarter)) < quarter;
      await reach(guest, Math.floor(guest.pages / 8), isShort);
      await drop();
      await reach(guest, 0);
    },
  },
  {
    name: "oom",
    text: "The guest needs more memory than the balloon leaves it, and frees it again.",
    device: { offer: { deflateOnOom: true } },
    run: async (guest) => {
      const use = need(guest, "usePages", "the system cannot be asked to use memory");
      const drop = need(guest, "dropPages", "the system cannot be asked to free memory");
      const quarter = Math.floor(guest.pages / 4);
      await reach(guest, quarter);
      await use(guest.pages - quarter);
      await guest.rest();
      guest.device.check({ memoryShort: true });
      await drop();
      await reach(guest, 0);
    },
  },
  {
    name: "rebind",
    text: "The driver is taken from the device with a filled balloon, and gets it back.",
    run: rebind,
  },
  {
    name: "rebind-no-oom",
    text: "The same on a device that does not offer DEFLATE_ON_OOM.",
    device: { offer: { deflateOnOom: false } },
    run: rebind,
  },
  {
    name: "reload",
    text: "The driver's code leaves the system with a filled balloon, and comes back.",
    run: async (guest) => {
      const unload = need(guest, "unload", "the system cannot unload the driver");
      const load = need(guest, "load", "the system cannot load the driver");
      await reach(guest, Math.floor(guest.pages / 8));
      await unload();
      await guest.rest();
      guest.device.check();
      await load();
      await guest.rest();
      await reach(guest, 0);
    },
  },
  {
    name: "removal",
    text: "The device is removed from the system with a filled balloon, and found again.",
    run: async (guest) => {
      const remove = need(guest, "remove", "the system cannot be asked to remove a device");
      const rescan = need(guest, "rescan", "the system cannot be asked to look for devices");
      await reach(guest, Math.floor(guest.pages / 8));
      await remove();
      await guest.rest();
      guest.device.check();
      await rescan();
      await guest.rest();
      await reach(guest, 0);
    },
  },
  {
    name: "suspend",
    text: "The machine sleeps and wakes with a filled balloon.",
    run: async (guest) => {
      const suspend = need(guest, "suspend", "the system cannot be put to sleep");
      await reach(guest, Math.floor(guest.pages / 8));
      await suspend();
      await guest.rest();
      guest.device.check();
      await reach(guest, 0);
    },
  },
  {
    name: "needs-reset",
    text: "The device sets DEVICE_NEEDS_RESET with a filled balloon.",
    mayEnd: ["gave up", "lost"],
    run: async (guest) => {
      await reach(guest, Math.floor(guest.pages / 8));
      guest.device.inject({ name: "needs-reset" });
      await guest.rest();
      guest.device.check();
    },
  },
  ...(
    [
      ["late", { kind: "late", ms: 5 }, "5 ms late, in their order"],
      ["scattered", { kind: "scattered", ms: 5 }, "each after a time of its own, in any order"],
    ] as const
  ).map(([kind, completion, how]) => ({
    name: `completion-${kind}`,
    text: `Targets up and down on a device that returns buffers ${how}.`,
    device: { completion },
    run: upAndDown,
  })),
];

/** With these a driver cannot know that its pages have arrived. */
const UNSEEN: readonly FaultName[] = ["used-unseen", "used-idx-back", "queue-hangs"];

/** Faults that come when the driver is up; a good one meets the others at its start too. */
const LATER: readonly FaultName[] = ["gone", "gone-zeros", "needs-reset"];

/** Accesses after which the device is gone: amid the work for a target. */
const AMID = 4;

/** A driver meets a fault while its balloon fills. */
function faultScenario(name: FaultName, does: string): Scenario {
  return {
    name: `fault-${name}`,
    text: does,
    mayEnd: ["gave up", "lost"],
    ...(UNSEEN.includes(name) && { waive: ["D4", "D14"] as const }),
    isDefault: false,
    ...(!LATER.includes(name) && { device: { faults: [{ name }] } }),
    run: async (guest) => {
      await guest.rest();
      if (LATER.includes(name)) guest.device.inject({ name, after: AMID });
      guest.device.setTarget(Math.floor(guest.pages / 8));
      await guest.rest();
      guest.device.check({ memoryShort: true });
    },
  };
}

/** All scenarios: those of a default run, then one for each fault of the device. */
export const scenarios: readonly Scenario[] = [
  ...SCENARIOS.map((scenario) => ({ ...scenario, isDefault: true })),
  ...faults.map(({ name, does }) => faultScenario(name, does)),
];
