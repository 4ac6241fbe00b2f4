/**
 * What a driver is led through. Each scenario begins with a new device and the host's target at 0,
 * says by its name what the host does, and leaves the judging to the device.
 */
import { deviceScenarios } from "./device-scenarios.ts";
import type { JudgedDevice, JudgedGuest } from "./platform.ts";
import {
  askForStatistics,
  LeftOut,
  need,
  needDrop,
  reach,
  type Scenario,
  startHints,
  upAndDown,
} from "./scenario.ts";

/** Milliseconds after which every driver that reports free pages has begun to. */
const REPORTING_MS = 10_000;

/** Milliseconds after which every driver that was short of memory has tried again. */
const RETRY_MS = 12_000;

/** Milliseconds after which a device that asks for a reset has waited for long enough. */
const ANSWER_MS = 1000;

/** PAGE_POISON (virtio 1.3, 5.5.3). */
const POISON_BIT = 4n;

function hasAccepted({ negotiated }: JudgedDevice, bit: bigint): boolean {
  return ((negotiated >> bit) & 1n) === 1n;
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

const USUAL: readonly Omit<Scenario, "isDefault">[] = [
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
    text:
      "The guest needs its memory while a run of hinting is not done. A breach shows where the " +
      "system clears no memory that it uses itself (Linux: init_on_alloc=0).",
    device: { offer: { freePageHint: true } },
    run: async (guest) => {
      const use = need(guest, "usePages", "the system cannot be asked to use memory");
      const drop = needDrop(guest);
      await guest.rest();
      startHints(guest);
      await guest.rest();
      // What the host did to a page shows only where the system writes a part of it.
      await use(Math.floor(guest.pages / 4), "part");
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
    name: "poison",
    text: "Pages leave the balloon, and free ones are reported, with PAGE_POISON accepted.",
    device: { offer: { pagePoison: true, freePageHint: true, pageReporting: true } },
    run: async (guest) => {
      await guest.rest();
      if (!hasAccepted(guest.device, POISON_BIT)) {
        throw new LeftOut("the driver has not accepted PAGE_POISON");
      }
      await upAndDown(guest);
      await guest.pass(REPORTING_MS);
      await guest.rest();
      guest.device.check();
    },
  },
  {
    name: "pressure",
    text: "The guest uses a quarter of its memory while the balloon fills and empties.",
    run: async (guest) => {
      const use = need(guest, "usePages", "the system cannot be asked to use memory");
      const drop = needDrop(guest);
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
    text: "The guest needs more memory than there is, frees it, and has twelve seconds.",
    device: { offer: { deflateOnOom: true } },
    run: async (guest) => {
      const use = need(guest, "usePages", "the system cannot be asked to use memory");
      const drop = needDrop(guest);
      const quarter = Math.floor(guest.pages / 4);
      await reach(guest, quarter);
      await use(guest.pages - quarter);
      await guest.rest();
      guest.device.check({ memoryShort: true });
      if (guest.device.heldPages === quarter) throw new LeftOut("memory was never short");
      await drop();
      await guest.pass(RETRY_MS);
      await guest.rest();
      guest.device.check();
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
    name: "move",
    text: "The guest is moved, amid the filling, to a host that offers more, and back again.",
    run: async (guest) => {
      const move = guest.move?.bind(guest);
      if (move === undefined) throw new LeftOut("the platform cannot move a guest");
      const eighth = Math.floor(guest.pages / 8);
      await guest.rest();
      guest.device.setTarget(eighth);
      await guest.pass(1);
      await move({ offer: { freePageHint: true, pageReporting: true } });
      await guest.rest();
      guest.device.check();
      await reach(guest, Math.floor(eighth / 2));
      await move({});
      await reach(guest, eighth);
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
      await guest.pass(ANSWER_MS);
      guest.device.check();
    },
  },
];

/** All scenarios: those of a default run, then the others. */
export const scenarios: readonly Scenario[] = [
  ...USUAL.map((scenario) => ({ ...scenario, isDefault: true })),
  ...deviceScenarios,
];
