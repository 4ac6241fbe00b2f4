/** Mistakes in the core's split ring. */
import type { Mutant } from "./mutant.ts";

const BALLOON = "assembly/balloon.ts";
const RING = "assembly/ring/ring.ts";
const SETTINGS = "runtime/balloon/settings.ts";
const SPLIT = "assembly/ring/split.ts";

const FLAGS = "store<u32>(descriptor, 0, 12);";
const BYTES = "store<u32>(descriptor, bytes, 8);";
const SHOW = "store<u16>(ring.driverPtr, ring.posted, 2);";
/** Flags and next of a descriptor that is chained to the one behind it. */
const CHAINED = "(id & 1) == 0 ? ((id + 1) << 16) | 1 : 0";

/**
 * A driver that accepts INDIRECT_DESC and then gets it wrong: the core alone never sets the flag.
 */
const ACCEPT_INDIRECT = {
  file: SETTINGS,
  find: "    FEATURE.EVENT_IDX,\n  ],\n  deflateMode",
  replace: "    FEATURE.EVENT_IDX,\n    FEATURE.INDIRECT_DESC,\n  ],\n  deflateMode",
} as const;

export const ringMutants: readonly Mutant[] = [
  {
    id: "leaves an old used ring in the device area",
    file: SPLIT,
    find: "memory.fill(ptr, 0, splitBytes(",
    replace: "memory.fill(ptr, 0, 0 * splitBytes(",
    breaks: "R-USED-ZERO",
    scenario: "a device that asks for a reset",
  },
  {
    id: "writes used_event where avail_event is",
    file: SPLIT,
    find: "store<u16>(ring.driverPtr + ((<usize>ring.size) << 1), ring.taken + <u16>after, 4);",
    replace: "store<u16>(ring.devicePtr + ((<usize>ring.size) << 3), ring.taken + <u16>after, 4);",
    breaks: "R-USED-WRITTEN",
    scenario: "several targets",
  },
  {
    id: "counts the available index down",
    file: SPLIT,
    find: SHOW,
    replace: "store<u16>(ring.driverPtr, 0 - ring.posted, 2);",
    breaks: "R-AVAIL-BACK",
    scenario: "several targets",
  },
  {
    id: "lets the available index jump",
    file: SPLIT,
    find: SHOW,
    replace: "store<u16>(ring.driverPtr, ring.posted + <u16>ring.size, 2);",
    breaks: "R-AVAIL-JUMP",
    scenario: "several targets",
  },
  {
    id: "asks for silence by flag though EVENT_IDX was negotiated",
    file: SPLIT,
    find: SHOW,
    replace: `${SHOW} store<u16>(ring.driverPtr, 1);`,
    breaks: "R-AVAIL-FLAGS",
    scenario: "several targets",
  },
  {
    id: "makes heads available that the table does not have",
    file: SPLIT,
    find: "(ring.size - 1))) << 1), <u16>id, 4);",
    replace: "(ring.size - 1))) << 1), <u16>(id + ring.size), 4);",
    breaks: "R-HEAD-RANGE",
    scenario: "several targets",
  },
  {
    id: "uses one descriptor for all buffers",
    file: RING,
    find: "ring.firstFree = <u32>load<u16>(nextPtr(ring, id));",
    replace: "",
    breaks: "R-HEAD-BUSY",
    scenario: "several targets",
  },
  {
    id: "chains to a descriptor beyond the table",
    file: SPLIT,
    find: FLAGS,
    replace: "store<u32>(descriptor, 0xffff_0001, 12);",
    breaks: "R-NEXT-RANGE",
    scenario: "several targets",
  },
  {
    id: "chains a descriptor to itself",
    file: SPLIT,
    find: FLAGS,
    replace: "store<u32>(descriptor, (id << 16) | 1, 12);",
    breaks: "R-CHAIN-LENGTH",
    scenario: "several targets",
  },
  {
    id: "chains more than 2^32 bytes",
    file: SPLIT,
    find: `${BYTES}\n  ${FLAGS}`,
    replace: `store<u32>(descriptor, 0xffff_ffff, 8);
  store<u32>(descriptor, ((id + 1) << 16) | 1, 12);
  store<u32>(descriptor, 0xffff_ffff, 24);
  store<u32>(descriptor, 0, 28);`,
    breaks: "R-CHAIN-BYTES",
    scenario: "several targets",
  },
  {
    id: "puts a writable part before a readable one",
    file: SPLIT,
    find: FLAGS,
    replace: "store<u32>(descriptor, (id & 1) == 0 ? ((id + 1) << 16) | 3 : 0, 12);",
    breaks: "R-WRITE-ORDER",
    scenario: "several targets",
  },
  {
    id: "sets a flag that nobody has described",
    file: SPLIT,
    find: FLAGS,
    replace: "store<u32>(descriptor, 8, 12);",
    breaks: "R-DESC-FLAGS",
    scenario: "several targets",
  },
  {
    id: "sets INDIRECT without the feature",
    file: SPLIT,
    find: FLAGS,
    replace: "store<u32>(descriptor, 4, 12);",
    breaks: "R-INDIRECT",
    scenario: "targets, registers in I/O ports",
  },
  {
    id: "points an indirect descriptor at itself",
    file: SPLIT,
    find: `${BYTES}\n  ${FLAGS}`,
    replace: `store<u64>(descriptor, <u64>descriptor); store<u32>(descriptor, 16, 8);
  store<u32>(descriptor, 4, 12);`,
    and: [ACCEPT_INDIRECT],
    breaks: "R-INDIRECT-NESTED",
    scenario: "targets, INDIRECT_DESC offered",
  },
  {
    id: "sets INDIRECT and NEXT together",
    file: SPLIT,
    find: FLAGS,
    replace: "store<u32>(descriptor, 5, 12);",
    and: [ACCEPT_INDIRECT],
    breaks: "R-INDIRECT-NEXT",
    scenario: "targets, INDIRECT_DESC offered",
  },
  {
    id: "gives the buffer's length as an indirect table's",
    file: SPLIT,
    find: FLAGS,
    replace: "store<u32>(descriptor, 4, 12);",
    and: [ACCEPT_INDIRECT],
    breaks: "R-INDIRECT-SIZE",
    scenario: "targets, INDIRECT_DESC offered",
  },
  {
    id: "puts a buffer where no memory is",
    file: SPLIT,
    find: "store<u64>(descriptor, <u64>ptr);",
    replace: "store<u64>(descriptor, (<u64>ptr) | ((<u64>1) << 40));",
    breaks: "R-BUFFER-MEMORY",
    scenario: "several targets",
  },
  {
    id: "clears a descriptor in flight",
    file: SPLIT,
    find: "return load<u16>(ring.devicePtr, 2) != ring.taken;",
    replace: `store<u32>(ring.descriptorPtr, 0, 8);
  return load<u16>(ring.devicePtr, 2) != ring.taken;`,
    breaks: "R-DESC-CHANGED",
    scenario: "reversals, late",
  },
  {
    id: "has one array for all buffers of a queue",
    file: "assembly/arena.ts",
    find: "return arraysPtr + (((<usize>queue * buffers + id) * pfns) << 2);",
    replace: "return arraysPtr + (((<usize>queue * buffers) * pfns) << 2);",
    breaks: "R-BUFFER-CHANGED",
    scenario: "reversals, late",
  },
  {
    id: "never notifies",
    file: SPLIT,
    find: "return <u16>(ring.posted - event - 1) < <u16>(ring.posted - before);",
    replace: "return event == ring.posted + 1 && before == ring.posted;",
    breaks: "R-KICK-MISSING",
    scenario: "several targets",
  },
  {
    id: "is off by one when it compares with avail_event",
    file: SPLIT,
    find: "return <u16>(ring.posted - event - 1) < <u16>(ring.posted - before);",
    replace: "return <u16>(ring.posted - event) < <u16>(ring.posted - before);",
    breaks: "R-KICK-MISSING",
    scenario: "several targets",
  },
  {
    id: "reads the used flags the wrong way round",
    file: SPLIT,
    find: "(load<u16>(ring.devicePtr) & NO_NOTIFY) == 0;",
    replace: "(load<u16>(ring.devicePtr) & NO_NOTIFY) != 0;",
    breaks: "R-KICK-MISSING",
    scenario: "targets, without EVENT_IDX",
  },
  {
    id: "notifies although the device wants quiet",
    file: SPLIT,
    find: "return <u16>(ring.posted - event - 1) < <u16>(ring.posted - before);",
    replace: "return event + before >= 0;",
    breaks: "R-KICK-SUPPRESSED",
    scenario: "reversals, a device that wants quiet while it works",
  },
  {
    id: "chains two descriptors to a buffer",
    file: SPLIT,
    find: FLAGS,
    replace: `store<u32>(descriptor, ${CHAINED}, 12);`,
    breaks: "Q-ONE-DESCRIPTOR",
    scenario: "several targets",
  },
  {
    id: "makes buffers device-writable",
    file: SPLIT,
    find: FLAGS,
    replace: "store<u32>(descriptor, 2, 12);",
    breaks: "Q-WRITABLE",
    scenario: "several targets",
  },
  {
    id: "wants an interrupt for every buffer",
    file: SPLIT,
    find: "ring.taken + <u16>after, 4);",
    replace: "ring.taken + <u16>(after & 0), 4);",
    breaks: "B-ONE-INTERRUPT",
    scenario: "a burst",
  },
  {
    id: "believes any used id",
    file: RING,
    find: "if (id >= ring.ids) return FAULT_ID;",
    replace: "if (id >= ring.ids) return 0;",
    breaks: "B-NO-TRAP",
    scenario: "a used id out of range",
  },
  {
    id: "takes an id back that is not in flight",
    file: RING,
    find: "if (load<u16>(nextPtr(ring, id)) != <u16>IN_FLIGHT) return FAULT_NOT_IN_FLIGHT;",
    replace: "",
    breaks: "B-QUARANTINE",
    scenario: "a used id not in flight",
  },
  {
    id: "follows used.idx wherever it jumps",
    file: SPLIT,
    find: "if (ahead > ring.inFlight) return FAULT_INDEX;",
    replace: "if (ahead > ring.inFlight) return 0;",
    breaks: "B-QUARANTINE",
    scenario: "a used idx that jumps",
  },
  {
    id: "takes a used idx that goes back for nothing new",
    file: SPLIT,
    find: "if (ahead > ring.inFlight) return FAULT_INDEX;",
    replace: "if (ahead > 0x8000) return 0; if (ahead > ring.inFlight) return FAULT_INDEX;",
    breaks: "B-QUARANTINE",
    scenario: "a used idx that goes back",
  },
  {
    id: "takes used.len for an error number",
    file: SPLIT,
    find: "const id = returnId(ring, load<u32>(entry, 4));",
    replace: `if (load<u32>(entry, 8) != 0) return FAULT_INDEX;
  const id = returnId(ring, load<u32>(entry, 4));`,
    breaks: "B-TARGET",
    scenario: "targets, used.len the total",
  },
  {
    id: "has two statistics buffers out",
    file: BALLOON,
    find: "assert(ring.inFlight == 0);\n  postOut(ring, statsPtr, entries * 10);",
    replace: "postOut(ring, statsPtr, entries * 10);\n  postOut(ring, statsPtr, entries * 10);",
    and: [
      {
        file: "assembly/index.ts",
        find: "queue == balloon.STATSQ ? 1 : arena.buffers,",
        replace: "arena.buffers,",
      },
    ],
    breaks: "D18",
    scenario: "several targets",
  },
];
