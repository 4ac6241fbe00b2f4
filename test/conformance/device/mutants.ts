/** The reference device with one mistake in it, one for each MUST and MUST NOT that a guest can see. */
import type { Patch } from "../../support/patched.ts";
import type { ConfigurationName } from "./reference.ts";

/** One mistake, as the rest of a sentence that begins with "a device that". */
export interface DeviceMutant extends Patch {
  readonly id: string;
  /** The check that finds it out. */
  readonly breaks: string;
  /** On which device. Default: `pci`. */
  readonly on?: ConfigurationName;
  /** For the few mistakes that it takes two places to make. */
  readonly and?: readonly Patch[];
}

/** What comes of a notification before DRIVER_OK. */
const SERVES_EARLY =
  "if (!this.options.lapses.servesEarly) this.early.add(queue); " +
  "else if (queue.ring !== undefined && this.reachesMemory) queue.process();";

const PROFILES = "src/device/host/profiles.ts";
const VIRTIO = "src/device/virtio/virtio-device.ts";
const COMMON = "src/device/pci/common-config.ts";
const CAPS = "src/device/pci/capability-list.ts";
const MSIX = "src/device/pci/msix-vectors.ts";
const QUEUE = "src/device/queue/virtqueue.ts";
const SPLIT = "src/device/queue/split-ring.ts";
const CHAIN = "src/device/queue/split-chain.ts";
const PACKED = "src/device/queue/packed-ring.ts";
const MMIO = "src/device/mmio/virtio-mmio.ts";
const MMIO_QUEUES = "src/device/mmio/mmio-queues.ts";
const HINTING = "src/device/balloon/hinting.ts";
const STATS = "src/device/balloon/statistics.ts";

type Row = readonly [
  breaks: string,
  id: string,
  file: string,
  find: string,
  replace: string,
  more?: Pick<DeviceMutant, "on" | "after" | "and">,
];

const basic: readonly Row[] = [
  ["STATUS-CONSUME", "serves a queue before DRIVER_OK", VIRTIO, SERVES_EARLY, "queue.process();"],
  [
    "STATUS-NOTIFY",
    "interrupts before DRIVER_OK",
    VIRTIO,
    SERVES_EARLY,
    "this.raise(ISR.queue, queue);",
  ],
  [
    "STATUS-NEEDS-RESET",
    "stops without a word after a chain that is a loop",
    QUEUE,
    "if (ring.broken !== undefined) this.owner.broken();",
    "",
  ],
  [
    "STATUS-TELLS",
    "asks for a reset without an interrupt",
    VIRTIO,
    "if ((this.status & STATUS.driverOk) !== 0) this.raise(ISR.config);",
    "",
    { after: 'this.context.trace.add("host", "DEVICE_NEEDS_RESET");' },
  ],
  [
    "FEATURES-SUBSET",
    "insists on the statistics queue",
    VIRTIO,
    "if (hasBit(offered & ~accepted, FEATURE.version1)) kept = false;",
    "if (!hasBit(accepted, FEATURE.statsVq)) kept = false;",
  ],
  [
    "FEATURES-INVALID",
    "keeps FEATURES_OK whatever is accepted",
    VIRTIO,
    "let kept = (accepted & ~offered) === 0n || this.options.lapses.acceptsAll;",
    "let kept = true;",
  ],
  [
    "FEATURES-UNKNOWN",
    "offers bit 30",
    PROFILES,
    "FEATURE.deflateOnOom, FEATURE.ringIndirectDesc,",
    "FEATURE.deflateOnOom, 30, FEATURE.ringIndirectDesc,",
  ],
  [
    "FEATURES-AGAIN",
    "accepts features only once",
    VIRTIO,
    "if (!kept) return false;",
    "if (!kept || this.life.times === 1) return false; this.life.times = 1;",
  ],
  [
    "RESET-STATUS",
    "keeps its status over a reset",
    VIRTIO,
    "this.status = 0; this.accepted = this.startFeatures();",
    "this.accepted = this.startFeatures();",
  ],
  [
    "RESET-QUIET",
    "goes on with its queues after a reset",
    VIRTIO,
    SERVES_EARLY,
    "queue.process();",
    {
      and: [
        {
          file: QUEUE,
          find: "this.ring = undefined; this.resetUnread",
          replace: "this.resetUnread",
        },
      ],
    },
  ],
  [
    "CONFIG-EARLY",
    "hides its configuration until FEATURES_OK",
    VIRTIO,
    "this.life.looked(); return this.type.readConfig(offset);",
    "if ((this.status & STATUS.featuresOk) === 0) return 0xffff_ffff; return this.type.readConfig(offset);",
  ],
  [
    "VERSION-1",
    "does not offer VERSION_1",
    PROFILES,
    "FEATURE.ringEventIdx, FEATURE.version1, ], queues: queueSpecs([128, 128, 128, 128, 128]),",
    "FEATURE.ringEventIdx, ], queues: queueSpecs([128, 128, 128, 128, 128]),",
  ],
  [
    "IN-ORDER",
    "uses buffers backwards with IN_ORDER",
    QUEUE,
    "const ready = ring.layout.inOrder ? this.inOrder(done) : done;",
    "const ready = ring.layout.inOrder ? [...done].reverse() : done;",
    { on: "pci, packed" },
  ],
  [
    "SR-IOV",
    "offers SR_IOV as an ordinary function",
    PROFILES,
    "FEATURE.deflateOnOom, FEATURE.ringIndirectDesc,",
    "FEATURE.deflateOnOom, 37, FEATURE.ringIndirectDesc,",
  ],
];

const NOTIFY_CAPS =
  "{ type: CAP.notifyCfg, bar: 4, offset: 0x3000, bytes: 0x1000 }, " +
  "{ type: CAP.notifyCfg, bar: 1, offset: 0xa00, bytes: 0x100 },";
const LAST_NOTIFY = "{ type: CAP.notifyCfg, bar: 1, offset: 0xa00, bytes: 0x100 },";
const COMMON_CAP = "{ type: CAP.commonCfg, bar: 4, offset: 0, bytes: 0x1000, padding: 4 },";
const DATA = { on: "pci, packed" } as const;

const pci: readonly Row[] = [
  [
    "PCI-IDS",
    "has the device id of an entropy source",
    PROFILES,
    "deviceId: ID.balloonModern,",
    "deviceId: ID.entropyTransitional,",
  ],
  ["PCI-REVISION", "has revision 0", PROFILES, "revision: 1,", "revision: 0,"],
  ["PCI-SUBSYSTEM", "has subsystem id 5", PROFILES, "subsystemId: 0x1100,", "subsystemId: 5,"],
  [
    "PCI-HALVES",
    "ignores the upper half of an address",
    COMMON,
    "} else if (!this.lowAddressesOnly) {",
    "} else if (value < 0) {",
  ],
  [
    "CAP-LENGTH",
    "leaves pci_cfg_data out of cap_len",
    CAPS,
    "pciFunction.put(at + 2, 1, bytes);",
    "pciFunction.put(at + 2, 1, spec.type === CAP.pciCfg ? 16 : bytes);",
  ],
  ["COMMON-THERE", "has no common configuration", PROFILES, COMMON_CAP, ""],
  [
    "COMMON-ALIGNED",
    "has its common configuration at offset 2",
    PROFILES,
    COMMON_CAP,
    COMMON_CAP.replace("offset: 0", "offset: 2"),
  ],
  [
    "COMMON-OFFER",
    "shows its features again in later words",
    VIRTIO,
    "const value = word > 1 ? 0 : Number((this.offered >> BigInt(word * 32)) & 0xffff_ffffn);",
    "const value = Number((this.offered >> BigInt((word & 1) * 32)) & 0xffff_ffffn);",
  ],
  [
    "COMMON-ACCEPTED",
    "shows no feature that the driver wrote",
    VIRTIO,
    "return word > 1 ? 0 : Number((this.accepted >> BigInt(word * 32)) & 0xffff_ffffn);",
    "return 0;",
  ],
  [
    "COMMON-GENERATION",
    "never changes config_generation",
    VIRTIO,
    "this.generation += 1; this.configRead = false;",
    "this.configRead = false;",
  ],
  [
    "COMMON-RESET",
    "only clears the status when 0 is written to it",
    VIRTIO,
    "if (value === 0) this.reset();",
    "if (value === 0) this.status = 0;",
  ],
  [
    "COMMON-ENABLE-RESET",
    "keeps its queues enabled over a reset",
    QUEUE,
    "this.enabled = false; this.descAddress = 0;",
    "this.descAddress = 0;",
  ],
  [
    "COMMON-QRESET-RESET",
    "shows 1 in queue_reset after a reset",
    QUEUE,
    "if (!resetUnread) return false;",
    "if (!resetUnread) return !this.enabled;",
  ],
  [
    "COMMON-QRESET-ENABLED",
    "shows 1 in queue_reset of a queue that is enabled",
    QUEUE,
    "if (!resetUnread) return false;",
    "if (!resetUnread) return this.enabled;",
  ],
  [
    "COMMON-QRESET",
    "ignores writes to queue_reset",
    COMMON,
    "queue.resetAlone(); this.vectors.forget(queue);",
    "this.vectors.forget(queue);",
  ],
  [
    "COMMON-ABSENT",
    "shows a size for queues that are not there",
    COMMON,
    "read: () => this.queue?.size ?? 0,",
    "read: () => this.queue?.size ?? 16,",
  ],
  [
    "COMMON-SIZE",
    "offers split queues of 127 entries",
    QUEUE,
    "return 2 ** Math.floor(Math.log2(maxSize));",
    "return maxSize - 1;",
  ],
  ["NOTIFY-THERE", "has no notification structure", PROFILES, NOTIFY_CAPS, ""],
  [
    "NOTIFY-ALIGNED",
    "has a notification structure at an odd offset",
    PROFILES,
    LAST_NOTIFY,
    LAST_NOTIFY.replace("0xa00", "0xa01"),
  ],
  [
    "NOTIFY-ALIGNED-DATA",
    "aligns a structure for 4 bytes to 2",
    PROFILES,
    LAST_NOTIFY,
    LAST_NOTIFY.replace("0xa00", "0xa02"),
    DATA,
  ],
  [
    "NOTIFY-MULTIPLIER",
    "has 6 bytes between queues",
    PROFILES,
    "notifyMultiplier: 4,",
    "notifyMultiplier: 6,",
  ],
  [
    "NOTIFY-MULTIPLIER-DATA",
    "has 2 bytes between queues that take 4",
    PROFILES,
    "notifyMultiplier: 4,",
    "notifyMultiplier: 2,",
    DATA,
  ],
  [
    "NOTIFY-LENGTH",
    "has room for two notifications",
    PROFILES,
    NOTIFY_CAPS,
    NOTIFY_CAPS.replace("0x1000 },", "8 },"),
  ],
  [
    "NOTIFY-LENGTH-DATA",
    "has room for half a notification of 4 bytes",
    PROFILES,
    NOTIFY_CAPS,
    NOTIFY_CAPS.replace("0x1000 },", "10 },"),
    DATA,
  ],
  [
    "ISR-THERE",
    "has no ISR status",
    PROFILES,
    "{ type: CAP.isrCfg, bar: 0, offset: 0x81, bytes: 1 },",
    "",
  ],
  [
    "ISR-QUEUE",
    "never sets the queue bit",
    VIRTIO,
    "this.isr |= bit; if (was === 0",
    "this.isr |= bit & ISR.config; if (was === 0",
  ],
  [
    "ISR-LINE",
    "never shows its line in PCI's status register",
    CAPS,
    "const interrupt = this.lineIsUp() ? PCI_STATUS.interrupt : 0;",
    "const interrupt = 0;",
  ],
  [
    "ISR-CLEARED",
    "keeps the ISR status when it is read",
    VIRTIO,
    "const value = this.isr; this.isr = 0; return value;",
    "return this.isr;",
  ],
  [
    "DEVICE-THERE",
    "has no configuration structure",
    PROFILES,
    "{ type: CAP.deviceCfg, bar: 1, offset: 0x100, bytes: 0x40 },",
    "",
  ],
  [
    "DEVICE-ALIGNED",
    "has its configuration at offset 2",
    PROFILES,
    "{ type: CAP.deviceCfg, bar: 1, offset: 0x100, bytes: 0x40 },",
    "{ type: CAP.deviceCfg, bar: 1, offset: 0x102, bytes: 0x40 },",
  ],
  [
    "VENDOR-ID",
    "has vendor data of vendor 0x1af4",
    CAPS,
    "pciFunction.put(at + 4, 1, spec.bar);",
    "pciFunction.put(at + 4, 2, spec.type === CAP.vendorCfg ? 0x1af4 : spec.bar);",
  ],
  [
    "VENDOR-LENGTH",
    "has 18 bytes of vendor data",
    PROFILES,
    "bytes: COMMON_BYTES, reserved: true }, { type: CAP.commonCfg, bar: 6,",
    "bytes: COMMON_BYTES, padding: 2, reserved: true }, { type: CAP.commonCfg, bar: 6,",
  ],
  [
    "WINDOW-THERE",
    "has no configuration access capability",
    PROFILES,
    `${LAST_NOTIFY} WINDOW_CAP,`,
    LAST_NOTIFY,
  ],
  [
    "WINDOW-WRITE",
    "drops writes through the window",
    CAPS,
    "region.write(offset - region.offset, length, value % 256 ** length);",
    "",
  ],
  [
    "WINDOW-READ",
    "reads zeros through the window",
    CAPS,
    "return region.read(offset - region.offset, length);",
    "return 0;",
  ],
  [
    "MSIX-SIZE",
    "has one vector",
    "src/device/pci/pci-layout.ts",
    "const msix: MsixSpec = { bar: index, vectors,",
    "const msix: MsixSpec = { bar: index, vectors: 1,",
  ],
  [
    "MSIX-MAP",
    "maps every event to vector 0",
    MSIX,
    "this.mapped.set(key, vector);",
    "this.mapped.set(key, 0);",
  ],
  [
    "MSIX-UNMAP",
    "unmaps nothing",
    MSIX,
    "this.mapped.delete(key); this.unread.delete(key); if (vector === NO_VECTOR) return;",
    "if (vector === NO_VECTOR) return; this.mapped.delete(key); this.unread.delete(key);",
  ],
  [
    "MSIX-RESET",
    "keeps its vectors over a reset",
    MSIX,
    "this.mapped.clear(); this.unread.clear();",
    "this.unread.clear();",
  ],
  [
    "MSIX-FAILURE",
    "maps events to a vector behind its table",
    MSIX,
    "if (vector >= vectors) {",
    "if (vector > vectors) {",
  ],
  [
    "MSIX-QUEUE-QUIET",
    "sends a message for a queue without a vector",
    MSIX,
    "if (vector !== undefined) this.table?.raise(vector);",
    "if (vector !== undefined || event !== undefined) this.table?.raise(vector ?? 1);",
  ],
  [
    "MSIX-CONFIG-QUIET",
    "sends a message for its configuration without a vector",
    MSIX,
    "if (vector !== undefined) this.table?.raise(vector);",
    "if (vector !== undefined || event === undefined) this.table?.raise(vector ?? 1);",
  ],
];

const ON_MMIO = { on: "mmio" } as const;

const mmio: readonly Row[] = [
  [
    "MMIO-MAGIC",
    "has another magic value",
    "src/device/mmio/mmio-slot.ts",
    "value: identity.magic",
    "value: identity.magic + 1",
    ON_MMIO,
  ],
  [
    "MMIO-VERSION",
    "has version 3",
    "src/device/mmio/mmio-slot.ts",
    "value: identity.version",
    "value: identity.version + 1",
    ON_MMIO,
  ],
  [
    "MMIO-EVENT",
    "forgets an event when it is read",
    MMIO,
    "return virtio.events + (virtio.faults",
    "const seen = virtio.events; virtio.acknowledge(seen); return seen + (virtio.faults",
    ON_MMIO,
  ],
  [
    "MMIO-EVENT-BITS",
    "shows bits that mean nothing",
    MMIO,
    'virtio.faults.lasts("event-bits-stray") ? STRAY_EVENTS : 0',
    "virtio.events !== 0 ? STRAY_EVENTS : 0",
    ON_MMIO,
  ],
  [
    "MMIO-RESET-EVENTS",
    "keeps its events over a reset",
    VIRTIO,
    "this.isr = 0; this.kicks.reset();",
    "this.kicks.reset();",
    ON_MMIO,
  ],
  [
    "MMIO-RESET-READY",
    "keeps its queues ready over a reset",
    QUEUE,
    "this.enabled = false; this.descAddress = 0;",
    "this.descAddress = 0;",
    ON_MMIO,
  ],
  [
    "MMIO-GENERATION",
    "never changes ConfigGeneration",
    VIRTIO,
    "this.generation += 1; this.configRead = false;",
    "this.configRead = false;",
    ON_MMIO,
  ],
  [
    "MMIO-NOT-READY",
    "serves a queue that is not ready",
    MMIO_QUEUES,
    "this.unread?.stop();",
    "if (this.unread !== undefined) this.unread.enabled = false;",
    ON_MMIO,
  ],
  [
    "MMIO-QRESET-RESET",
    "shows 1 in QueueReset after a reset",
    QUEUE,
    "if (!resetUnread) return false;",
    "if (!resetUnread) return !this.enabled;",
    ON_MMIO,
  ],
  [
    "MMIO-QRESET-ENABLED",
    "shows 1 in QueueReset of a queue that is ready",
    QUEUE,
    "if (!resetUnread) return false;",
    "if (!resetUnread) return this.enabled;",
    ON_MMIO,
  ],
  [
    "MMIO-QRESET",
    "ignores writes to QueueReset",
    MMIO_QUEUES,
    "if (this.hasReset) queue.resetAlone();",
    "",
    ON_MMIO,
  ],
];

const SERVE = "const fate = handler.serve(taken, this);";

const queues: readonly Row[] = [
  [
    "QUEUE-RESET-QUIET",
    "serves a queue that was reset",
    QUEUE,
    "this.stop(); this.resetUnread = true;",
    "this.enabled = false; this.resetUnread = true;",
  ],
  [
    "QUEUE-RESET-STATE",
    "goes on where a queue was before its reset",
    QUEUE,
    "this.ring = ring; return ring;",
    "this.ring = ring; Object.assign(ring, this.kept); return ring;",
    {
      and: [
        {
          file: QUEUE,
          find: "this.reset(); this.settle(packed);",
          replace:
            "this.kept = ring && { takenIdx: ring.takenIdx, usedIdx: ring.usedIdx }; this.reset(); this.settle(packed);",
        },
      ],
    },
  ],
  [
    "QUEUE-RESET-SETUP",
    "takes every queue for as large as it can be",
    QUEUE,
    "const { size, descAddress, driverAddress, deviceAddress } = this; const { name, reachBytes, lapses }",
    "const { descAddress, driverAddress, deviceAddress } = this; const size = this.offeredSize; const { name, reachBytes, lapses }",
  ],
  ["FRAMING", "reads the first descriptor alone", PROFILES, "headOnly: false,", "headOnly: true,"],
  [
    "SPLIT-READABLE",
    "writes into the buffer that it has read",
    QUEUE,
    SERVE,
    `${SERVE} this.context.memory.write32(taken.chain.elements[0].address, 77);`,
  ],
  [
    "SPLIT-TABLE",
    "writes into the descriptor table",
    QUEUE,
    SERVE,
    `${SERVE} this.context.memory.write16(this.descAddress + 14, 9);`,
  ],
  [
    "SPLIT-WRITABLE",
    "takes page numbers from where it should write",
    "src/device/balloon/inflate-deflate.ts",
    "const readable = elements.filter(({ flags }) => (flags & DESC.write) === 0); const pfns",
    "const readable = elements; const pfns",
  ],
  [
    "INDIRECT-WRITE-FLAG",
    "takes a table that is marked writable for a buffer",
    CHAIN,
    "if ((descriptor.flags & DESC.indirect) !== 0 && !isBuffer) {",
    "if ((descriptor.flags & (DESC.indirect | DESC.write)) === DESC.indirect) {",
  ],
  [
    "INDIRECT-CHAINED",
    "takes no table behind another descriptor",
    CHAIN,
    "const wrong = judgeIndirect(table, descriptor, inIndirect);",
    "const wrong = judgeIndirect(table, descriptor, inIndirect || elements.length > 0);",
  ],
  [
    "USED-EVENT-IGNORED",
    "heeds used_event without EVENT_IDX",
    SPLIT,
    "const from = this.signalledIdx; if (this.layout.eventIdx) {",
    "const from = this.signalledIdx; if (from >= 0) {",
  ],
  [
    "USED-FLAG-QUIET",
    "interrupts whatever the flags are",
    SPLIT,
    "return (memory.read16(this.layout.driverAddress) & RING_FLAG.noInterrupt) === 0;",
    "return true;",
  ],
  [
    "USED-FLAG-NOTIFY",
    "takes the flag for its opposite",
    SPLIT,
    "return (memory.read16(this.layout.driverAddress) & RING_FLAG.noInterrupt) === 0;",
    "return (memory.read16(this.layout.driverAddress) & RING_FLAG.noInterrupt) !== 0;",
  ],
  [
    "EVENT-FLAG-IGNORED",
    "heeds the flag with EVENT_IDX",
    SPLIT,
    "this.signalledIdx = this.usedIdx; return true;",
    "this.signalledIdx = this.usedIdx; return memory.read16(this.layout.driverAddress) === 0;",
  ],
  [
    "EVENT-NOTIFY",
    "interrupts one buffer too late",
    SPLIT,
    "const isWanted = passes(memory.read16(this.usedEventAddress),",
    "const isWanted = passes(memory.read16(this.usedEventAddress) + 1,",
  ],
  [
    "EVENT-QUIET",
    "interrupts for each buffer with EVENT_IDX",
    SPLIT,
    "if (!isWanted && !isFirst) return false;",
    "",
  ],
  ["USED-LENGTH-SET", "leaves len alone", SPLIT, "memory.write32(at + 4, length);", ""],
  [
    "USED-LENGTH-WRITTEN",
    "says the length of what it has read",
    PROFILES,
    'usedLength: "zero", oversize',
    'usedLength: "total", oversize',
  ],
  [
    "USED-FLAGS-PLAIN",
    "sets flags to 2",
    SPLIT,
    "this.usedFlags = allow ? 0 : RING_FLAG.noNotify;",
    "this.usedFlags = 2;",
  ],
  [
    "USED-FLAGS-EVENT",
    "asks for no notifications by flags with EVENT_IDX",
    SPLIT,
    "this.usedFlags = this.layout.strayFlags ? RING_FLAG.noNotify : 0;",
    "this.usedFlags = RING_FLAG.noNotify;",
  ],
  [
    "SPURIOUS",
    "fails at a notification without a buffer",
    VIRTIO,
    "this.kicks.notified(queue, (feature) => this.has(feature), data);",
    "if (queue.ring.waiting === 0) this.needReset();",
  ],
  [
    "PACKED-ORDER",
    "forgets that the wrap counter changes",
    PACKED,
    "return position < this.layout.size;",
    "return position >= 0;",
    DATA,
  ],
  [
    "PACKED-READABLE",
    "writes into the buffer of a packed ring that it has read",
    QUEUE,
    SERVE,
    `${SERVE} this.context.memory.write32(taken.chain.elements[0].address, 77);`,
    DATA,
  ],
  [
    "PACKED-AVAIL",
    "passes over a descriptor that is not available",
    PACKED,
    "this.judgeEvents(); while (",
    "if (!this.available(this.nextTake)) this.nextTake = this.moved(this.nextTake, 1); while (",
    DATA,
  ],
  [
    "PACKED-USED-KEPT",
    "changes the descriptor that it used before",
    PACKED,
    "memory.write16(at + 12, id);",
    "memory.write16(at + 12, id); if (position > 0) memory.write32(at - 8, 77);",
    DATA,
  ],
  [
    "PACKED-CHAIN",
    "counts a list as one descriptor",
    PACKED,
    "return chain.descriptors.reduce((sum, { index }) => sum + (index >= 0 ? 1 : 0), 0);",
    "return Math.min(1, chain.descriptors.length);",
    DATA,
  ],
];

const SAMPLE = "sample.set(tag, BigInt.asUintN(this.bits, value));";

const balloon: readonly Row[] = [
  [
    "STATS-UNKNOWN",
    "drops all statistics when it does not know one",
    STATS,
    SAMPLE,
    `if (tag > 100) return; ${SAMPLE}`,
  ],
  [
    "STATS-ORDER",
    "takes statistics in ascending order only",
    STATS,
    SAMPLE,
    `if ([...sample.keys()].some((one) => one > tag)) continue; ${SAMPLE}`,
  ],
  [
    "CONFIG-EVENT",
    "changes num_pages without an interrupt",
    VIRTIO,
    "if (isUp) this.raise(ISR.config);",
    "",
  ],
  ["HINT-ID", "gives every run the same id", PROFILES, "sameId: false,", "sameId: true,"],
  ["HINT-STALE", "takes pages with any id", PROFILES, "anyId: false,", "anyId: true,"],
  [
    "HINT-AFTER-DONE",
    "takes pages after DONE",
    HINTING,
    "const current = this.block !== undefined && this.block === this.commandId;",
    "const current = this.block === this.commandId || this.commandId === HINT.done;",
  ],
  ["HINT-DONE", "never shows DONE", HINTING, "this.show(HINT.done);", "this.show(HINT.stop);"],
  [
    "REPORT-POISON",
    "fills reported pages with anything",
    "src/device/balloon/reporting.ts",
    "if (!poison.on) {",
    "if (!poison.on || pfn > 0) {",
  ],
];

const TRANSITIONAL = { on: "pci, transitional" } as const;
const LAYOUT = "src/device/pci/pci-layout.ts";
const HEADER = "src/device/pci/legacy-header.ts";
const OLD_IDS = "revision: 0, subsystemId: ID.balloon };";
const ENABLED = "this.bringUp.queueEnabled(this.status); this.useLegacy();";

const legacy: readonly Row[] = [
  [
    "LEGACY-DETECT",
    "serves nobody without VERSION_1",
    VIRTIO,
    ENABLED,
    `if (!this.has(FEATURE.version1)) return; ${ENABLED}`,
    TRANSITIONAL,
  ],
  [
    "LEGACY-RESET",
    "ignores a reset over its legacy interface",
    HEADER,
    "write: (value) => virtio.writeStatus(value),",
    "write: (value) => virtio.writeStatus(value || 1),",
    TRANSITIONAL,
  ],
  [
    "LEGACY-LAYOUT",
    "looks for the used ring of a legacy queue right behind the available ring",
    "src/device/queue/queue-areas.ts",
    "Math.ceil((queue.driverAddress + (driver ?? 0)) / align) * align;",
    "Math.ceil((queue.driverAddress + (driver ?? 0)) / 4) * 4;",
    TRANSITIONAL,
  ],
  [
    "LEGACY-CONFIG-EARLY",
    "drops what is written to its configuration before a queue is used",
    VIRTIO,
    "this.type.writeConfig(offset, value, complete);",
    "if (this.firstUsed) this.type.writeConfig(offset, value, complete);",
    TRANSITIONAL,
  ],
  [
    "LEGACY-USE-EARLY",
    "lets a legacy driver wait for DRIVER_OK",
    "src/device/checks/bring-up-check.ts",
    "return this.legacy; }",
    "return false; }",
    TRANSITIONAL,
  ],
  [
    "LEGACY-REVISION",
    "is transitional with revision 1",
    LAYOUT,
    OLD_IDS,
    "revision: 1, subsystemId: ID.balloon };",
    TRANSITIONAL,
  ],
  [
    "LEGACY-SUBSYSTEM",
    "is transitional with a subsystem id of its maker's",
    LAYOUT,
    OLD_IDS,
    "revision: 0, subsystemId: 0x1100 };",
    TRANSITIONAL,
  ],
  [
    "LEGACY-THERE",
    "is transitional with BAR 0 in memory",
    LAYOUT,
    'return first.kind === "io" && isFree ? old : undefined;',
    'return { ...old, bars: old.bars.map((bar) => bar.index === 0 ? { ...bar, kind: "mem32", base: 0xfeb0_0000 } : bar) };',
    TRANSITIONAL,
  ],
  [
    "LEGACY-WIDTHS",
    "lets its legacy configuration be read by whole fields alone",
    HEADER,
    'const config = new RegisterBlocks(context, "any",',
    'const config = new RegisterBlocks(context, "native",',
    TRANSITIONAL,
  ],
  [
    "LEGACY-CONFIG-PLACE",
    "leaves room for vectors while MSI-X is off",
    HEADER,
    "return this.vectors.enabled ? LEGACY_CONFIG.msix : LEGACY_CONFIG.plain;",
    "return LEGACY_CONFIG.msix;",
    TRANSITIONAL,
  ],
  [
    "LEGACY-UNTOLD",
    "serves no legacy driver without MUST_TELL_HOST",
    VIRTIO,
    ENABLED,
    `if (this.legacy && !this.has(FEATURE.mustTellHost)) return; ${ENABLED}`,
    TRANSITIONAL,
  ],
  [
    "LEGACY-USE-FIRST",
    "clears a page when it hears that the guest has it back",
    "src/device/balloon/inflate-deflate.ts",
    'if (kind === "deflate") this.parts.poison.cameBack(',
    'if (kind === "deflate") this.context.memory.write32(pfn << PAGE_SHIFT, 0); ' +
      'if (kind === "deflate") this.parts.poison.cameBack(',
    TRANSITIONAL,
  ],
  [
    "LEGACY-ANY-LAYOUT",
    "does not offer ANY_LAYOUT",
    VIRTIO,
    "(offered & 0xffff_ffffn) | ANY_LAYOUT : modern",
    "(offered & 0xffff_ffffn) : modern",
    TRANSITIONAL,
  ],
  [
    "LEGACY-EMPTY",
    "heeds the flag of a queue that is empty, with NOTIFY_ON_EMPTY",
    SPLIT,
    "return isWanted || (this.layout.notifyOnEmpty && this.waiting === 0);",
    "return isWanted;",
    TRANSITIONAL,
  ],
];

export const deviceMutants: readonly DeviceMutant[] = [
  ...basic,
  ...pci,
  ...legacy,
  ...mmio,
  ...queues,
  ...balloon,
].map(([breaks, id, file, find, replace, more]) => ({ breaks, id, file, find, replace, ...more }));
