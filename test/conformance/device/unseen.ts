/**
 * What virtio 1.3 says of devices in chapters 2 to 4, 5.5 and 6 and no check of the suite shows,
 * each with the reason.
 */

/** One statement that is not checked. */
export interface Unseen {
  readonly section: string;
  readonly level: "MUST" | "MUST NOT" | "SHOULD" | "SHOULD NOT" | "MAY";
  readonly says: string;
  readonly why: string;
}

const PERMISSION = "A permission cannot be broken.";
const GOES_ON = "How long the reset goes on, only the device knows.";
const NO_BALLOON = "It is about something that no balloon has.";
const ADMIN = "No balloon owns a group of devices, so it has no administration queue.";
const WITHIN = "Only the device's makers know.";

const rows: readonly (readonly [Unseen["section"], Unseen["level"], string, string])[] = [
  [
    "2.2.2",
    "MUST NOT",
    "offers no feature without those that it requires",
    "No feature of a balloon or of its rings requires another one, but all need VERSION_1, which has a check.",
  ],
  [
    "2.6.1.2.1",
    "MUST",
    "goes by a queue's new largest size",
    "It is shown with QUEUE-RESET-SETUP.",
  ],
  ["2.7.4.1", "MAY", "limits the descriptors of a chain", PERMISSION],
  ["2.7.8.2", "MAY", "writes more than len bytes", PERMISSION],
  ["2.7.10.2", "MAY", "asks for no notifications by flags or avail_event", PERMISSION],
  [
    "2.8.12",
    "MUST",
    "begins to write used descriptors in the order in which buffers are done",
    WITHIN,
  ],
  ["2.8.12", "MAY", "reorders writes that it has begun", PERMISSION],
  [
    "2.8.15",
    "SHOULD NOT",
    "does not read a device-writable buffer of a packed ring",
    "It is shown with SPLIT-WRITABLE, and a device reads buffers of both rings alike.",
  ],
  ["2.8.18", "MAY", "limits the buffers of a list", PERMISSION],
  [
    "2.10.2",
    "MUST NOT",
    "shows in shared memory nothing that controls it and no data that is streamed",
    NO_BALLOON,
  ],
  ["2.12.1.1.6", "MUST", "supports all commands for legacy members of its group, or none", ADMIN],
  ["2.12.1.2", "MUST", "answers a command for its group as it is specified", ADMIN],
  ["2.13.1", "MUST", "takes longer and shorter buffers for commands, in their order", ADMIN],
  ["2.13.1", "MUST NOT", "does nothing for a command that is to be tried again", ADMIN],
  [
    "4.1.1",
    "MUST",
    "presents itself as PCI or PCI Express specify it",
    "The specifications of PCI are not in this table.",
  ],
  ["4.1.2.1", "MAY", "has the subsystem ids of its environment", PERMISSION],
  [
    "4.1.2.1",
    "SHOULD",
    "has a device id from 0x1040 to 0x107f when it is not transitional",
    "A device with another one is not found: PCI-IDS.",
  ],
  ["4.1.4.2", "SHOULD", "lists structures of one type from the best to the worst", WITHIN],
  ["4.1.4.2", "MAY", "appends more to a structure", PERMISSION],
  ["4.1.4.3.1", "MAY", "shows invalid features that the driver wrote", PERMISSION],
  ["4.1.4.3.1", "MUST", "shows 1 in queue_reset while the reset goes on", GOES_ON],
  ["4.1.4.3.1", "MUST", "numbers its administration queues behind all others", NO_BALLOON],
  ["4.1.4.7.1", "MUST", "keeps shared memory within its BAR", NO_BALLOON],
  ["4.1.4.7.1", "MUST", "gives each shared memory another id", NO_BALLOON],
  ["4.1.4.8.1", "MUST NOT", "has no side effects when vendor data is read", WITHIN],
  [
    "4.1.4.11",
    "SHOULD",
    "makes a legacy driver of the same ids fail gracefully",
    "No legacy driver ever took the ids of a balloon that is not transitional.",
  ],
  [
    "4.1.5.1.2.1",
    "MUST",
    "says in Table Size how many vectors it has",
    "More are never mapped: MSIX-FAILURE.",
  ],
  ["4.1.5.1.2.1", "SHOULD", "has no more vectors than help", WITHIN],
  [
    "4.1.5.1.2.1",
    "SHOULD NOT",
    "refuses no mapping that is possible",
    "It is shown with MSIX-MAP.",
  ],
  ["4.2.2.1", "MUST", "shows 1 in QueueReset while the reset goes on", GOES_ON],
  ["5.5.3.2", "MAY", "refuses a driver without MUST_TELL_HOST", PERMISSION],
  ["5.5.6.2", "MAY", "changes pages while it has them", PERMISSION],
  ["5.5.6.5.2", "SHOULD", "shows STOP while it cannot use hints", WITHIN],
  ["5.5.6.5.2", "MAY", "changes hinted pages that the guest has not written to", PERMISSION],
  ["5.5.6.6.2", "MAY", "takes poison_val for a hint", PERMISSION],
  ["5.5.6.7.2", "MAY", "changes reported pages before it returns them", PERMISSION],
  ["6.2", "MAY", "fails without VERSION_1, ACCESS_PLATFORM or ORDER_PLATFORM", PERMISSION],
  ["6.2", "MAY", "is slower without ORDER_PLATFORM", PERMISSION],
  ["6.2", "SHOULD", "offers ACCESS_PLATFORM where its addresses are translated", WITHIN],
  ["6.2", "SHOULD", "offers ACCESS_PLATFORM and ORDER_PLATFORM as an add-in card", WITHIN],
  ["6.2", "SHOULD", "offers SR_IOV where it has the structure of PCI for it", NO_BALLOON],
];

const LEGACY = "The suite drives the interface since virtio 1.0 alone.";

/** Of legacy and transitional devices. */
const legacy: typeof rows = [
  ["2.2.3", "MUST", "is usable by drivers that never negotiate", LEGACY],
  ["2.4", "MUST", "is reset by a legacy driver, too", LEGACY],
  ["4.1.2.3", "MUST", "has revision 0 and subsystem id 5 when it is transitional", LEGACY],
  ["4.2.4", "MUST", "has version 1 over a legacy MMIO", LEGACY],
  ["5.5.3.2.0.1", "MUST", "works with drivers that do not accept MUST_TELL_HOST", LEGACY],
  ["5.5.6.2.1", "SHOULD NOT", "uses no actual before its last byte was written", LEGACY],
  ["5.5.6.3.3", "SHOULD", "ignores the first buffer of statistics", LEGACY],
];

export const unseen: readonly Unseen[] = [...rows, ...legacy].map(([section, level, says, why]) => {
  return { section, level, says, why };
});
