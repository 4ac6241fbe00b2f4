/**
 * What this driver owes and only the whole instrument sees: scenarios that watch driver, guest and
 * device together check it themselves, because no device can judge it. A mutant has to be caught by
 * it as by a rule of the device. Ids start with "B-" and are never used again for something else.
 */

import type { Level } from "../../../src/device/index.ts";

/** Like a rule of the device. "OURS" is what this project promises beyond the specification. */
export interface Behaviour {
  readonly id: string;
  readonly level: Level | "OURS";
  readonly section: string;
  readonly title: string;
}

export const behaviours = [
  {
    id: "B-PATTERNS",
    level: "OURS",
    section: "5.5.6.1",
    title: "No byte of the guest's own pages changes, whatever the balloon does.",
  },
  {
    id: "B-TARGET",
    level: "OURS",
    section: "5.5.6.1",
    title: "The balloon holds exactly what the host asked for, once everything was answered.",
  },
  {
    id: "B-SUM",
    level: "OURS",
    section: "5.5.6",
    title: "A frame is in one state: driver and host count the same, and no frame is lost.",
  },
  {
    id: "B-RESERVE",
    level: "OURS",
    section: "5.5.6.1",
    title: "Inflating leaves the reserve to the guest.",
  },
  {
    id: "B-ONE-INTERRUPT",
    level: "OURS",
    section: "2.7.7",
    title: "With EVENT_IDX a burst of buffers costs one interrupt.",
  },
  {
    id: "B-INTERRUPTS",
    level: "OURS",
    section: "4.1.5.1.2.2",
    title: "Messages are used where device and machine have any, shared when there are few.",
  },
  {
    id: "B-QUARANTINE",
    level: "OURS",
    section: "2.7.8",
    title: "A used ring that lies ends in a failed driver with the reason, and nothing is reused.",
  },
  {
    id: "B-NO-TRAP",
    level: "OURS",
    section: "2.7.8",
    title: "Nothing that a device writes makes the core trap.",
  },
  {
    id: "B-FAILED-BIT",
    level: "MUST",
    section: "3.1.1",
    title: "A driver that gives up sets FAILED.",
  },
  {
    id: "B-RESET-BOUND",
    level: "OURS",
    section: "4.1.4.3.2",
    title: "A reset that never ends is given up after a bounded wait, and no status bit is set.",
  },
  {
    id: "B-STATS-TRUE",
    level: "OURS",
    section: "5.5.6.4",
    title: "Statistics say what the ledger says.",
  },
  {
    id: "B-OOM",
    level: "OURS",
    section: "5.5.6.1",
    title: "With DEFLATE_ON_OOM a guest that runs out of memory gets the balloon's.",
  },
  {
    id: "B-HOLD-OFF",
    level: "OURS",
    section: "5.5.6.1",
    title: "After that, an unchanged target is left alone for a while.",
  },
  {
    id: "B-PACE",
    level: "OURS",
    section: "policy gentle",
    title: "The gentle policy inflates no faster than its pace.",
  },
  {
    id: "B-BACK-OFF",
    level: "OURS",
    section: "policy follow",
    title: "A target out of reach is tried again ever more rarely.",
  },
  {
    id: "B-STOP",
    level: "OURS",
    section: "2.4",
    title: "Stopping resets the device and takes every page back.",
  },
  {
    id: "B-RESTARTS",
    level: "OURS",
    section: "2.1.1",
    title: "A device that asks for a reset over and over is given up.",
  },
  {
    id: "B-RESTARTS-APART",
    level: "OURS",
    section: "2.1.1",
    title: "One that works for a minute between its resets is not, however many there are.",
  },
  {
    id: "B-GONE",
    level: "OURS",
    section: "2.1",
    title: "A device that is gone is left alone, and its pages are the guest's: no lie, one line.",
  },
  {
    id: "B-ATTACH",
    level: "OURS",
    section: "3.1.1",
    title: "A device that is put in in place of one that is gone gets its target by itself.",
  },
  {
    id: "B-EXCHANGED",
    level: "OURS",
    section: "2.4",
    title: "A device that somebody else has reset or exchanged is brought up again.",
  },
  {
    id: "B-SUSPEND",
    level: "OURS",
    section: "2.4",
    title: "Suspending resets and takes all pages back untold; resuming returns to the target.",
  },
  {
    id: "B-HINT-KEEP",
    level: "OURS",
    section: "5.5.6.5",
    title: "Hinted pages are kept from guest and balloon until the host is done with them.",
  },
  {
    id: "B-HINT-WHOLE",
    level: "OURS",
    section: "5.5.6.5, and hosts that show no id once a run is begun",
    title: "A run hands over all that is free, unless the host says that something changed.",
  },
  {
    id: "B-HINT-BACK",
    level: "OURS",
    section: "5.5.6.5.1",
    title: "When the host is done, or its device was reset, every hinted page is free again.",
  },
  {
    id: "B-HINT-AGAIN",
    level: "OURS",
    section: "5.5.6.5, and hosts with one id",
    title: "An id that comes again after DONE is a new run: one start, all pages, one STOP.",
  },
  {
    id: "B-REPORT-ONCE",
    level: "OURS",
    section: "5.5.6.7",
    title: "A free block is reported once for each time that it became free.",
  },
  {
    id: "B-REPORT-PACE",
    level: "OURS",
    section: "5.5.6.7",
    title: "Reports are no more than the setting allows.",
  },
  {
    id: "B-QUEUE-RESET",
    level: "OURS",
    section: "2.6.1",
    title: "With RING_RESET a queue that hangs gives its pages back and is used again.",
  },
  {
    id: "B-COMES-UP",
    level: "OURS",
    section: "3.1.1",
    title: "The driver comes up with every device that the specification allows.",
  },
  {
    id: "B-MODERN",
    level: "OURS",
    section: "4.1.5.1.1.1",
    title: "A device that has both interfaces is driven by its modern one.",
  },
  {
    id: "B-EMPTY-SLOT",
    level: "MUST NOT",
    section: "4.2.2.2",
    title: "An MMIO slot without a device is no error, and none is reported.",
  },
  {
    id: "B-BARRIER",
    level: "MUST",
    section: "2.7.13.3.1, 2.7.13.4.1, 2.8.21.1.1 and 2.8.21.3.1",
    title: "Barriers stand before buffers are shown, and before the device's wish is looked at.",
  },
  {
    id: "B-PROMPT",
    level: "OURS",
    section: "4.1.5.4.2",
    title: "All that an interrupt tells of is seen to at once.",
  },
  {
    id: "B-FILLED",
    level: "OURS",
    section: "5.5.6.5.1",
    title: "With a value to fill memory with, what comes back from the host holds it.",
  },
  {
    id: "B-POISON-REPORT",
    level: "MUST NOT",
    section: "5.5.3.1",
    title: "Whoever needs that value reports nothing to a host that does not know it.",
  },
  {
    id: "B-SHARE",
    level: "OURS",
    section: "5.5",
    title: "An untrusted host never has more than its share of memory.",
  },
  {
    id: "B-SCRUB",
    level: "OURS",
    section: "5.5",
    title: "What it gets holds nothing of the guest's.",
  },
  {
    id: "B-DISBELIEF",
    level: "OURS",
    section: "5.5",
    title: "What comes back from it holds what the guest fills memory with, whatever it claims.",
  },
  {
    id: "B-STATS-COARSE",
    level: "OURS",
    section: "5.5",
    title: "It learns sizes in sixteenths of memory, and no counts.",
  },
  {
    id: "B-STATS-DECLINED",
    level: "OURS",
    section: "5.5.3",
    title: "Where statistics are declined, it learns none, and the rest of the balloon works.",
  },
  {
    id: "B-UNASKED",
    level: "OURS",
    section: "5.5",
    title: "Where free memory lies is shown to it only where that is asked for.",
  },
  {
    id: "B-COST",
    level: "OURS",
    section: "5.5",
    title: "It costs the guest so many turns and moved pages a second, and no more.",
  },
  {
    id: "B-READ-ONCE",
    level: "OURS",
    section: "5.5.4",
    title: "A field of its configuration is read once a turn; `actual` and the poison, never.",
  },
  {
    id: "B-WAIT-BOUND",
    level: "OURS",
    section: "5.5.6.5 and 2.4",
    title: "No word of its that never comes is waited for without a bound.",
  },
] as const satisfies readonly Behaviour[];

export type BehaviourId = (typeof behaviours)[number]["id"];
