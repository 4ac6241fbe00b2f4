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
  ["2.7.5.1", "MAY", "reads a device-writable buffer to find faults", PERMISSION],
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
  ["4.1.4.3.1", "MUST", "has no administration queue beyond 16 bits of index", NO_BALLOON],
  [
    "4.1.4.4.1",
    "MUST",
    "has room for one notification, of 2 bytes, or 4 with NOTIFICATION_DATA",
    "It is shown with NOTIFY-LENGTH and NOTIFY-LENGTH-DATA.",
  ],
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
    "MUST",
    "shows the vector of an event, or NO_VECTOR",
    "It is shown with MSIX-MAP, MSIX-UNMAP and MSIX-RESET.",
  ],
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

const BYTE_ORDER = "On x86, the only guest, both orders of bytes are one.";
const HIGH_BITS =
  "The interface has no register for them; what a device then does is shown with LEGACY-DETECT.";
const BETWEEN = "The host would have to be asked between two writes of one field.";

/** Of legacy and transitional devices. */
const legacy: typeof rows = [
  [
    "2.2.3",
    "MUST",
    "keeps to the sections on legacy interfaces",
    "They are the rows of this table.",
  ],
  ["2.7.3", "MUST", "has its rings in the byte order of the guest", BYTE_ORDER],
  [
    "4.1.2.3",
    "MUST",
    "has a device id from 0x1000 to 0x103f when it is transitional",
    "By this id the suite knows that it is: PCI-IDS.",
  ],
  ["4.1.4.10", "MUST", "takes features 32 to 63 for not accepted", HIGH_BITS],
  ["4.1.5.1.1.1", "MUST", "has its legacy interface in BAR 0", "It is shown with LEGACY-THERE."],
  [
    "4.2.4",
    "MUST",
    "has version 1 over a legacy MMIO",
    "By the version the suite knows that it is; another one than 2 breaks MMIO-VERSION.",
  ],
  [
    "5.5.4.0.0.1",
    "MUST",
    "has its configuration in little-endian order over its legacy interface",
    "It is shown with LEGACY-CONFIG-PLACE.",
  ],
  ["5.5.6.2.1", "SHOULD NOT", "uses no actual before its last byte was written", BETWEEN],
  ["5.5.6.3.3", "MUST", "has statistics in the byte order of the guest", BYTE_ORDER],
  [
    "5.5.6.3.3",
    "SHOULD",
    "ignores the first buffer of statistics",
    "It is about drivers that left this buffer unset; hosts show it, and drivers since then fill it.",
  ],
  ["5.5.6.5.3", "MUST", "takes command ids in the byte order of the guest", BYTE_ORDER],
  ["6.3", "MAY", "offers NOTIFY_ON_EMPTY", PERMISSION],
];

const LISTS = "2.12.1.1.6";
const GROUPS = "2.12.1.2";
const COMMANDS = "2.13.1";

/** Of administration commands. */
const administration: typeof rows = [
  [LISTS, "MUST", "supports all commands for legacy members of its group, or none", ADMIN],
  [LISTS, "MUST", "has the data of these commands in little-endian order", ADMIN],
  [LISTS, "MUST", "fails one that is not about one field of the common configuration", ADMIN],
  [LISTS, "MUST", "fails one that is not about one field of the device configuration", ADMIN],
  [LISTS, "MUST", "writes a common configuration as the legacy interface does", ADMIN],
  [LISTS, "MUST", "reads a common configuration as the legacy interface does", ADMIN],
  [LISTS, "MUST", "writes a device configuration as the legacy interface does", ADMIN],
  [LISTS, "MUST", "reads a device configuration as the legacy interface does", ADMIN],
  [LISTS, "SHOULD", "has, with its members, the revision and subsystem of modern devices", ADMIN],
  [LISTS, "SHOULD", "has, as the owner of a group, the device id of modern devices", ADMIN],
  [LISTS, "MUST", "takes a notification at each address that it has told", ADMIN],
  [LISTS, "MUST", "has all of these commands when it has NOTIFY_INFO", ADMIN],
  [LISTS, "MUST", "ends the answer to NOTIFY_INFO with flags of zero", ADMIN],
  [LISTS, "MUST", "names in it no BAR that is zero", ADMIN],
  [LISTS, "MUST", "aligns the offsets in it to 2 bytes", ADMIN],
  [LISTS, "MAY", "names in it BARs of the owner, the member or both", PERMISSION],
  [LISTS, "MUST", "has VF BAR0 as zero with NOTIFY_INFO", ADMIN],
  [GROUPS, "MUST", "answers a command for its group as it is specified", ADMIN],
  [GROUPS, "MUST", "says of an invalid group type that it is one", ADMIN],
  [GROUPS, "MUST", "says of an invalid opcode that it is one", ADMIN],
  [GROUPS, "MUST", "says of an invalid member that it is one", ADMIN],
  [GROUPS, "MUST", "says OK of a command that succeeds", ADMIN],
  [GROUPS, "MUST", "says something else of one that fails", ADMIN],
  [GROUPS, "MUST NOT", "changes nothing for a command with an invalid value", ADMIN],
  [GROUPS, "MUST NOT", "has no side effect of such a command", ADMIN],
  [GROUPS, "MUST NOT", "enters no error state for it", ADMIN],
  [GROUPS, "SHOULD NOT", "changes nothing for a command that fails", ADMIN],
  [GROUPS, "MAY", "restricts the opcodes that are used together", PERMISSION],
  [GROUPS, "MAY", "fails LIST_USE for a list that such a restriction forbids", PERMISSION],
  [GROUPS, "MUST", "serves each type of group by itself", ADMIN],
  [GROUPS, "MAY", "has other commands for another type of group", PERMISSION],
  [GROUPS, "MUST", "takes two commands alone before LIST_USE", ADMIN],
  [GROUPS, "MUST", "takes the commands of LIST_USE after it", ADMIN],
  [GROUPS, "MUST", "holds each command against this list", ADMIN],
  [GROUPS, "MUST", "fails a command that is not in it", ADMIN],
  [GROUPS, "MUST NOT", "never shortens the list of commands that it supports", ADMIN],
  [GROUPS, "MUST NOT", "never tells of a command as unsupported that it has told of", ADMIN],
  [GROUPS, "MAY", "supports more later", PERMISSION],
  [GROUPS, "SHOULD", "takes the same list again after a reset", ADMIN],
  [GROUPS, "MUST NOT", "does not fail LIST_USE after a reset for its list alone", ADMIN],
  [GROUPS, "MAY", "does so where no driver keeps the list", PERMISSION],
  [GROUPS, "MUST", "fails all commands for SR-IOV without functions enabled", ADMIN],
  [GROUPS, "MUST", "fails commands for members that are not there", ADMIN],
  [COMMANDS, "MUST", "takes shorter buffers for commands", ADMIN],
  [COMMANDS, "MUST", "takes longer buffers for commands", ADMIN],
  [COMMANDS, "SHOULD", "writes the whole answer", ADMIN],
  [COMMANDS, "MUST NOT", "fails no command for the length of its buffers alone", ADMIN],
  [COMMANDS, "MUST", "writes the part of an answer that has whole 64 bits", ADMIN],
  [COMMANDS, "MUST", "writes status and status_qualifier", ADMIN],
  [COMMANDS, "MUST", "takes the commands of a queue in their order", ADMIN],
  [COMMANDS, "MAY", "takes the commands of several queues in any order", PERMISSION],
  [COMMANDS, "MUST NOT", "does nothing for a command that is to be tried again", ADMIN],
];

const CCW = "The image is for x86, which has no channel I/O.";

/** Of channel I/O. */
const channel: typeof rows = [
  ["4.3.1.3", "MUST", "rejects a command that it does not support", CCW],
  ["4.3.1.3", "MUST", "shows a length that does not match, where it is to be checked", CCW],
  ["4.3.1.3", "MUST", "shows where too little data came for a command", CCW],
  ["4.3.1.3", "SHOULD", "accepts a command whose buffer is too long", CCW],
  ["4.3.2.1.1", "MUST", "rejects a revision that it does not support", CCW],
  ["4.3.2.1.1", "MUST", "rejects a revision whose length or data do not fit", CCW],
  ["4.3.2.1.1", "MUST", "rejects revision 0 when it is not transitional", CCW],
  ["4.3.2.1.1", "SHOULD", "rejects commands that the revision does not have", CCW],
  ["4.3.2.1.1", "MUST", "rejects a second revision", CCW],
  ["4.3.2.1.1", "MUST", "forgets the revision when the subchannel is enabled", CCW],
  ["4.3.2.1.3", "MUST", "rejects commands without a revision when it is not transitional", CCW],
  ["4.3.2.1.3", "MUST", "takes such a driver for a legacy one when it is transitional", CCW],
  ["4.3.2.1.3", "MUST", "rejects commands that revision 0 does not have", CCW],
  ["4.3.2.2.1", "MUST", "ignores res0", CCW],
  ["4.3.2.3.2", "MUST", "leaves the status as it was when it cannot set it", CCW],
  ["4.3.2.3.2", "MUST", "rejects the command then", CCW],
  ["4.3.2.3.2", "MUST", "returns the status for READ_STATUS from revision 2 on", CCW],
  ["4.3.2.6.1", "MUST", "rejects classic indicators after two-stage ones", CCW],
  ["4.3.2.6.3.1", "MUST", "rejects two-stage indicators after classic ones", CCW],
  ["4.3.3.1.2.1", "SHOULD", "interrupts when the summary indicator was not set", CCW],
  ["4.3.3.2.1", "MUST", "ignores the upper half of GPR2", CCW],
  ["4.3.3.2.1", "MAY", "returns a cookie", PERMISSION],
  ["4.3.3.3.1", "MUST", "has status 0 before it ends VDEV_RESET", CCW],
  ["4.3.3.3.1", "MUST NOT", "leaves its queues alone after it", CCW],
];

export const unseen: readonly Unseen[] = [...rows, ...legacy, ...administration, ...channel].map(
  ([section, level, says, why]) => ({ section, level, says, why }),
);
