/** Mistakes on the way to the device: memory-mapped registers. */
import type { Mutant } from "./mutant.ts";

const CONSTANTS = "runtime/virtio/constants.ts";
const TRANSPORT = "runtime/virtio/mmio/mmio.ts";

const MAGIC = "if (registers.read(MMIO.magicValue) !== MMIO_MAGIC) return undefined;";
const IDENTIFIED = "return deviceId === 0 ? undefined : { version, deviceId };";
const RESET = "this.registers.write(MMIO.status, 0);";
const READY = "this.registers.write(MMIO.queueReady, 1);";
const NUM = "this.registers.write(MMIO.queueNum, queue.size);";
const NOTIFIED = "wantsPlace ? notificationData(this, index, next) : index,";
const SEEN = "const seen = this.registers.read(MMIO.interruptStatus) & (ISR.QUEUE | ISR.CONFIG);";
const ACK = "if (seen !== 0) this.registers.write(MMIO.interruptAck, seen);";
const PAGE_SIZE = "this.registers.write(MMIO.guestPageSize, LEGACY_LAYOUT.alignment);";
const ALIGN = "this.registers.write(MMIO.queueAlign, LEGACY_LAYOUT.alignment);";
const PFN = "this.registers.write(MMIO.queuePfn, pfn);";

const NAMED = "MMIO, found by its name";
const PROBED = "MMIO, found by probing";
const LEGACY = "legacy MMIO, found by its name";

export const mmioMutants: readonly Mutant[] = [
  {
    id: "reads DeviceID before MagicValue and Version",
    file: TRANSPORT,
    find: MAGIC,
    replace: `if (registers.read(MMIO.deviceId) === 0) return undefined;
  ${MAGIC}`,
    breaks: "M-IDENTITY",
    scenario: NAMED,
  },
  {
    id: "takes any memory for a slot",
    file: TRANSPORT,
    find: MAGIC,
    replace: "registers.read(MMIO.magicValue);",
    breaks: "M-FOREIGN",
    scenario: PROBED,
  },
  {
    id: "takes any version for the newer one",
    file: TRANSPORT,
    find: "if (version !== MMIO_VERSION.modern && version !== MMIO_VERSION.legacy) return undefined;",
    replace: "",
    breaks: "M-FOREIGN",
    scenario: PROBED,
  },
  {
    id: "asks for the vendor of an empty slot",
    file: TRANSPORT,
    find: IDENTIFIED,
    replace: `registers.read(MMIO.vendorId); ${IDENTIFIED}`,
    breaks: "M-PLACEHOLDER",
    scenario: PROBED,
  },
  {
    id: "takes the first device that it meets",
    file: "runtime/virtio/mmio/find.ts",
    find: "return slots.filter((slot) => identifyMmio(hal, slot)?.deviceId === deviceId);",
    replace: "return slots.filter((slot) => identifyMmio(hal, slot)?.deviceId !== undefined);",
    breaks: "M-WRONG-DEVICE",
    scenario: PROBED,
  },
  {
    id: "starts without a reset, over MMIO",
    file: "runtime/virtio/bring-up.ts",
    find: 'private current: BringUpState = { name: "reset", refusals: 0 };',
    replace: 'private current: BringUpState = { name: "acknowledge", refusals: 0 };',
    breaks: "G-RESET-FIRST",
    scenario: NAMED,
  },
  {
    id: "reads the status as the byte that it is",
    file: CONSTANTS,
    find: "status: le32(0x070),",
    replace: "status: u8(0x070),",
    breaks: "M-WIDTH",
    scenario: NAMED,
  },
  {
    id: "reads the configuration by halves, over MMIO",
    file: TRANSPORT,
    find: "return this.registers.read({ offset: MMIO_CONFIG + offset, width });",
    replace: `const half = (at: number) => this.registers.read({ offset: MMIO_CONFIG + at, width: 2 });
    return width === 4 ? half(offset) + half(offset + 2) * 0x1_0000 : half(offset);`,
    breaks: "M-WIDTH",
    scenario: NAMED,
  },
  {
    id: "accepts a word for its queues where no register holds one",
    file: TRANSPORT,
    find: "readonly unusableFeatures = featureSet(FEATURE.NOTIF_CONFIG_DATA);",
    replace: "readonly unusableFeatures = 0n;",
    breaks: "G-RESERVED-BIT",
    scenario: "MMIO, every feature of platforms offered",
  },
  {
    id: "complains of empty slots",
    file: TRANSPORT,
    find: IDENTIFIED,
    replace: `if (deviceId === 0) hal.log("error", "no device in an MMIO slot"); ${IDENTIFIED}`,
    breaks: "B-EMPTY-SLOT",
    scenario: "MMIO, empty slots",
  },
  {
    id: "clears the pending events at a reset",
    file: TRANSPORT,
    find: RESET,
    replace: `${RESET} this.registers.write(MMIO.interruptStatus, 0);`,
    breaks: "M-READ-ONLY",
    scenario: NAMED,
  },
  {
    id: "reads its features back",
    file: TRANSPORT,
    find: "this.registers.write(MMIO.driverFeatures, value);",
    replace:
      "this.registers.write(MMIO.driverFeatures, value); this.registers.read(MMIO.driverFeatures);",
    breaks: "M-WRITE-ONLY",
    scenario: NAMED,
  },
  {
    id: "asks whether a queue is in use as in version 1",
    file: TRANSPORT,
    find: "this.selectFree(queue, MMIO.queueReady);",
    replace: "this.selectFree(queue, MMIO.queuePfn);",
    breaks: "M-NO-REGISTER",
    scenario: NAMED,
  },
  {
    id: "looks for shared memory",
    file: TRANSPORT,
    find: READY,
    replace: `${READY} this.registers.read({ offset: 0xb0, width: 4 });`,
    breaks: "M-SHARED-MEMORY",
    scenario: NAMED,
  },
  {
    id: "reads the first word of features without selecting it",
    file: TRANSPORT,
    find: "this.registers.write(MMIO.deviceFeaturesSel, word);",
    replace: "if (word !== 0) this.registers.write(MMIO.deviceFeaturesSel, word);",
    breaks: "M-FEATURES-SELECT",
    scenario: NAMED,
  },
  {
    id: "accepts the first word of features without selecting it",
    file: TRANSPORT,
    find: "this.registers.write(MMIO.driverFeaturesSel, word);",
    replace: "if (word !== 0) this.registers.write(MMIO.driverFeaturesSel, word);",
    breaks: "M-FEATURES-SELECT",
    scenario: NAMED,
  },
  {
    id: "gives QueueNum as the last index",
    file: TRANSPORT,
    find: NUM,
    replace: "this.registers.write(MMIO.queueNum, queue.size - 1);",
    breaks: "M-QUEUE-SIZE",
    scenario: NAMED,
  },
  {
    id: "asks for a larger queue than there is, over MMIO",
    file: TRANSPORT,
    find: NUM,
    replace: "this.registers.write(MMIO.queueNum, queue.size * 2);",
    breaks: "M-QUEUE-LARGER",
    scenario: NAMED,
  },
  {
    id: "selects a queue by the offset of its descriptor, over MMIO",
    file: TRANSPORT,
    find: NUM,
    replace: `this.registers.write(MMIO.queueSel, (queue.index + 1) << 4); ${NUM}`,
    breaks: "M-QUEUE-ABSENT",
    scenario: NAMED,
  },
  {
    id: "writes the size again when the queue is ready",
    file: TRANSPORT,
    find: READY,
    replace: `${READY} ${NUM}`,
    breaks: "M-QUEUE-BUSY",
    scenario: NAMED,
  },
  {
    id: "asks for the largest size of a queue in use, in version 1",
    file: TRANSPORT,
    find: PFN,
    replace: `${PFN} this.registers.read(MMIO.queueNumMax);`,
    breaks: "M-QUEUE-BUSY",
    scenario: LEGACY,
  },
  {
    id: "makes a queue ready before it has areas",
    file: TRANSPORT,
    find: NUM,
    replace: `${NUM} ${READY}`,
    breaks: "M-QUEUE-UNSET",
    scenario: NAMED,
  },
  {
    id: "leaves the alignment of version 1 to chance",
    file: TRANSPORT,
    find: ALIGN,
    replace: "",
    breaks: "M-QUEUE-UNSET",
    scenario: LEGACY,
  },
  {
    id: "makes a queue ready with all ones",
    file: TRANSPORT,
    find: READY,
    replace: "this.registers.write(MMIO.queueReady, 0xffff_ffff);",
    breaks: "M-READY-VALUE",
    scenario: NAMED,
  },
  {
    id: "switches a queue off before a reset, over MMIO, and does not look",
    file: TRANSPORT,
    find: RESET,
    replace: `this.registers.write(MMIO.queueSel, 0);
    this.registers.write(MMIO.queueReady, 0);
    ${RESET}`,
    breaks: "M-READY-READ-BACK",
    scenario: "MMIO, a device that asks for a reset",
  },
  {
    id: "resets a queue with a 2, over MMIO",
    file: TRANSPORT,
    find: "this.registers.write(MMIO.queueReset, 1);",
    replace: "this.registers.write(MMIO.queueReset, 2);",
    breaks: "M-RESET-VALUE",
    scenario: "MMIO, a queue that hangs",
  },
  {
    id: "does not wait for the end of a queue's reset, over MMIO",
    file: TRANSPORT,
    find: "this.registers.read(MMIO.queueReset) === 0 &&",
    replace: "true ||",
    breaks: "R-RESET-WAIT",
    scenario: "MMIO, a queue that hangs, its reset is slow",
  },
  {
    id: "notifies by the offset of the queue's descriptor",
    file: TRANSPORT,
    find: NOTIFIED,
    replace: "wantsPlace ? notificationData(this, index, next) : (index + 1) << 4,",
    breaks: "M-NOTIFY-VALUE",
    scenario: NAMED,
  },
  {
    id: "notifies without the data that it negotiated, over MMIO",
    file: TRANSPORT,
    find: NOTIFIED,
    replace: "index,",
    breaks: "P-NOTIFY-DATA",
    scenario: "MMIO, data with notifications",
  },
  {
    id: "reads the interrupt's cause and leaves it at that",
    file: TRANSPORT,
    find: ACK,
    replace: "",
    breaks: "M-ACK-MISSING",
    scenario: "MMIO, somebody listens to the interrupt",
  },
  {
    id: "acknowledges with all ones",
    file: TRANSPORT,
    find: ACK,
    replace: "this.registers.write(MMIO.interruptAck, 0xffff_ffff);",
    breaks: "M-ACK-UNDEFINED",
    scenario: NAMED,
  },
  {
    id: "believes and acknowledges whatever InterruptStatus shows",
    file: TRANSPORT,
    find: SEEN,
    replace: "const seen = this.registers.read(MMIO.interruptStatus);",
    breaks: "M-ACK-UNDEFINED",
    scenario: "MMIO, undefined events",
  },
  {
    id: "takes every interrupt for everything",
    file: TRANSPORT,
    find: SEEN,
    replace: "const seen = ISR.QUEUE | ISR.CONFIG;",
    breaks: "M-ACK-UNSEEN",
    scenario: NAMED,
  },
  {
    id: "looks for used buffers in the inflate queue alone",
    file: "runtime/balloon/device-queues.ts",
    find: "const deflated = this.checked(DEFLATEQ, this.core.balloon_settle(DEFLATEQ));",
    replace: "const deflated = 0;",
    breaks: "B-SUM",
    scenario: NAMED,
  },
  {
    id: "acknowledges every event there is",
    file: TRANSPORT,
    find: ACK,
    replace: "this.registers.write(MMIO.interruptAck, ISR.QUEUE | ISR.CONFIG);",
    breaks: "M-ACK-UNSEEN",
    scenario: NAMED,
  },
  {
    id: "forgets the page size of version 1",
    file: TRANSPORT,
    find: PAGE_SIZE,
    replace: "",
    breaks: "M-PAGE-SIZE",
    scenario: LEGACY,
  },
  {
    id: "gives the alignment of version 1 as a shift",
    file: TRANSPORT,
    find: ALIGN,
    replace: "this.registers.write(MMIO.queueAlign, 12);",
    breaks: "M-QUEUE-ALIGN",
    scenario: LEGACY,
  },
];
