/**
 * Mistakes in the core's packed ring, and in what rings can be beside: buffers in order, data with
 * notifications, queues that are reset by themselves.
 */
import type { Mutant } from "./mutant.ts";

const DEVICE_QUEUES = "runtime/balloon/device-queues.ts";
const MODERN_PCI = "runtime/virtio/pci/modern.ts";
const NUMBERING = "runtime/balloon/queue-numbering.ts";
const PACKED = "assembly/ring/packed.ts";
const OPEN_QUEUES = "runtime/balloon/open-queues.ts";
const PERSONAS = "runtime/balloon/personas.ts";
const RING = "assembly/ring/record.ts";
const SPLIT = "assembly/ring/split.ts";
const VIRTQUEUE = "assembly/ring/virtqueue.ts";

const FLAGS = "const flags = <u16>kind | ";

export const packedMutants: readonly Mutant[] = [
  {
    id: "declines RING_PACKED",
    file: PERSONAS,
    find: "    FEATURE.RING_PACKED,\n    FEATURE.IN_ORDER,",
    replace: "    FEATURE.IN_ORDER,",
    breaks: "G-RING-PACKED",
    scenario: "packed rings",
  },
  {
    id: "leaves an old packed ring in its memory",
    file: PACKED,
    find: "memory.fill(ptr, 0, ((<usize>size) << 4) + 8);",
    replace: "",
    breaks: "R-PACKED-ZERO",
    scenario: "packed rings, a device that asks for a reset",
  },
  {
    id: "continues a list in a descriptor that it never makes available",
    file: PACKED,
    find: FLAGS,
    replace: `${FLAGS}1 | `,
    breaks: "R-PACKED-PARTIAL",
    scenario: "packed rings",
  },
  {
    id: "links the last place of a packed ring to its first",
    file: PACKED,
    find: FLAGS,
    replace: `${FLAGS}(<u32>ring.postedPlace + 1 == ring.size ? <u16>1 : 0) | `,
    breaks: "R-AVAIL-JUMP",
    scenario: "packed rings of two, late",
  },
  {
    id: "fills a place of a packed ring that the device has not used yet",
    file: RING,
    find: "const most = min(min(ids, size), IDS_MAX);",
    replace: "const most = min(min(ids, size + ((features & PACKED) >> 1)), IDS_MAX);",
    breaks: "R-AVAIL-JUMP",
    scenario: "packed rings of two, late",
  },
  {
    id: "clears a packed descriptor in flight",
    file: PACKED,
    find: "export function armPacked(ring: Ring, after: u32): bool {",
    replace: `export function armPacked(ring: Ring, after: u32): bool {
  store<u32>(ring.descriptorPtr, 0, 8);`,
    breaks: "R-DESC-CHANGED",
    scenario: "packed rings, late",
  },
  {
    id: "sets INDIRECT in a packed ring without the feature",
    file: PACKED,
    find: FLAGS,
    replace: `${FLAGS}4 | `,
    breaks: "R-INDIRECT",
    scenario: "packed rings, no indirect tables",
  },
  {
    id: "sets INDIRECT and NEXT together in a packed ring",
    file: PACKED,
    find: FLAGS,
    replace: `${FLAGS}5 | `,
    breaks: "R-INDIRECT-NEXT",
    scenario: "packed rings",
  },
  {
    id: "puts event structures where 16 bits would be aligned",
    file: PACKED,
    find: "ring.driverPtr = ptr + ((<usize>size) << 4);",
    replace: "ring.driverPtr = ptr + ((<usize>size) << 4) + 2;",
    breaks: "R-ALIGN",
    scenario: "packed rings",
  },
  {
    id: "makes a packed burst available without a barrier before",
    file: PACKED,
    find: "ring.postedUnpublished = 0;\n  fence();",
    replace: "ring.postedUnpublished = 0;",
    breaks: "B-BARRIER",
    scenario: "barriers, packed rings",
  },
  {
    id: "looks at a packed device's events without a barrier before",
    file: PACKED,
    find: "ring.burstFlags, 14);\n  fence();",
    replace: "ring.burstFlags, 14);",
    breaks: "B-BARRIER",
    scenario: "barriers, packed rings",
  },
  {
    id: "never makes the first descriptor of a burst available",
    file: PACKED,
    find: "store<u16>(descriptorAt(ring, ring.burstPlace), ring.burstFlags, 14);",
    replace: "",
    breaks: "R-PACKED-SKIP",
    scenario: "packed rings",
  },
  {
    id: "counts buffer ids from the queue's size on",
    file: PACKED,
    find: "store<u16>(descriptor, <u16>id, 12);",
    replace: "store<u16>(descriptor, <u16>(id + ring.size), 12);",
    breaks: "R-PACKED-ID-RANGE",
    scenario: "packed rings",
  },
  {
    id: "has one id for all buffers",
    file: PACKED,
    find: "store<u16>(descriptor, <u16>id, 12);",
    replace: "store<u16>(descriptor, 0, 12);",
    breaks: "R-PACKED-ID-BUSY",
    scenario: "packed rings, late",
  },
  {
    id: "chains the entries of a packed ring's indirect table",
    file: "assembly/queues/ranges.ts",
    find: "isPacked ? IN << 16 :",
    replace: "isPacked ? (IN | NEXT) << 16 :",
    breaks: "R-PACKED-INDIRECT-FLAGS",
    scenario: "reporting, packed rings",
  },
  {
    id: "writes event flags that are reserved",
    file: PACKED,
    find: "store<u16>(ring.driverPtr, EVENTS_AT_PLACE, 2);",
    replace: "store<u16>(ring.driverPtr, 3, 2);",
    breaks: "R-EVENT-FLAGS",
    scenario: "packed rings",
  },
  {
    id: "wants an event beyond the end of the ring",
    file: PACKED,
    find: "if (place >= ring.size) {",
    replace: "place += ring.size; if (place > 2 * ring.size) {",
    breaks: "R-EVENT-FLAGS",
    scenario: "packed rings",
  },
  {
    id: "believes that a packed device always wants quiet",
    file: PACKED,
    find: "if (flags == EVENTS_OFF) return false;",
    replace: "if (flags != EVENTS_OFF) return false;",
    breaks: "R-KICK-MISSING",
    scenario: "packed rings",
  },
  {
    id: "compares a packed ring's event with the wrong lap",
    file: PACKED,
    find: "if (event >> WRAP_SHIFT != <u32>ring.postedWrap) place -= ring.size;",
    replace: "",
    breaks: "R-KICK-MISSING",
    scenario: "packed rings of five",
  },
  {
    id: "notifies a packed device although it wants quiet",
    file: PACKED,
    find: "if (flags == EVENTS_OFF) return false;",
    replace: "",
    breaks: "R-KICK-SUPPRESSED",
    scenario: "packed rings, a device that wants quiet while it works",
  },
  {
    id: "never turns its wrap counter",
    file: PACKED,
    find: "ring.postedPlace = 0;\n    ring.postedWrap ^= 1;",
    replace: "ring.postedPlace = 0;",
    breaks: "R-KICK-MISSING",
    scenario: "packed rings of five",
  },
  {
    id: "uses the descriptors of a split queue in any order though it promised one",
    file: SPLIT,
    find: "const head = (ring.features & IN_ORDER) != 0 ? place : id;",
    replace: "const head = id;",
    breaks: "R-IN-ORDER-HEAD",
    scenario: "buffers in order",
  },
  {
    id: "chains to the next but one though it promised an order",
    file: SPLIT,
    find: "store<u32>(descriptor, kind, 12);",
    replace: "store<u32>(descriptor, ((((head + 2) & (ring.size - 1))) << 16) | 1, 12);",
    breaks: "R-IN-ORDER-NEXT",
    scenario: "buffers in order",
  },
  {
    id: "takes one buffer of each batch that came back in order",
    file: VIRTQUEUE,
    find: "if (id == <u32>ring.batchEnd) ring.batchEnd = <u16>NO_ID;",
    replace: "ring.batchEnd = <u16>NO_ID;",
    breaks: "B-TARGET",
    scenario: "buffers in order, packed rings",
  },
  {
    id: "sends the place that it filled last with a notification",
    file: DEVICE_QUEUES,
    find: "this.session.transport.notify(index, this.core.queue_next_place(queue));",
    replace:
      "this.session.transport.notify(index, Math.max(0, this.core.queue_next_place(queue) - 1));",
    breaks: "P-NOTIFY-DATA",
    scenario: "data with notifications",
  },
  {
    id: "sends no wrap counter with a notification",
    file: VIRTQUEUE,
    find: "<u32>ring.postedPlace | ((<u32>ring.postedWrap) << 15)",
    replace: "<u32>ring.postedPlace",
    breaks: "P-NOTIFY-DATA",
    scenario: "data with notifications, packed rings",
  },
  {
    id: "resets a queue with a 2",
    file: MODERN_PCI,
    find: "common.write(COMMON.queueReset, 1);",
    replace: "common.write(COMMON.queueReset, 2);",
    breaks: "P-RESET-VALUE",
    scenario: "a queue that hangs",
  },
  {
    id: "does not wait for the end of a queue's reset",
    file: MODERN_PCI,
    find: "return common.read(COMMON.queueReset) === 0 && common.read(COMMON.queueEnable) === 0;",
    replace: "return true;",
    breaks: "R-RESET-WAIT",
    scenario: "a queue that hangs, its reset is slow",
  },
  {
    id: "leaves a queue that hangs alone",
    file: DEVICE_QUEUES,
    find: "    transport.resetQueue(INFLATEQ);",
    replace: "    if (now >= 0) return;",
    breaks: "B-QUEUE-RESET",
    scenario: "a queue that hangs",
  },
  {
    id: "uses the statistics queue without its feature",
    file: OPEN_QUEUES,
    find: "const wantsStats = hasFeature(negotiated, BALLOON_FEATURE.STATS_VQ);",
    replace: "const wantsStats = hasFeature(offered, BALLOON_FEATURE.STATS_VQ);",
    and: [
      {
        file: NUMBERING,
        find: "if (!hasFeature(input.negotiated, bit)) return;",
        replace: "if (!hasFeature(input.offered, bit)) return;",
      },
    ],
    breaks: "G-QUEUE-FEATURE",
    scenario: "features refused twice",
  },
  {
    id: "takes any queue at the specification's number",
    file: NUMBERING,
    find: "return fixed < numQueues && hasHoles(input, position) ? fixed : undefined;",
    replace: "return fixed < numQueues ? fixed : undefined;",
    breaks: "Q-STRANGE-QUEUE",
    scenario: "queues of features that nobody has described",
  },
];
