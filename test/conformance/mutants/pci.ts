/** Mistakes on the way to the device: PCI, capabilities, registers. */
import type { Mutant } from "./mutant.ts";

const BARS = "runtime/pci/bars.ts";
const CONFIG = "runtime/pci/config.ts";
const CONSTANTS = "runtime/virtio/constants.ts";
const ENUMERATE = "runtime/pci/enumerate.ts";
const DEVICE_CONFIG = "runtime/balloon/config.ts";
const OPEN_QUEUES = "runtime/balloon/open-queues.ts";
const STRUCTURES = "runtime/virtio/pci/capability-regions.ts";
const TRANSPORT = "runtime/virtio/pci/modern.ts";

const ENABLE = "common.write(COMMON.queueEnable, 1);";
const NOTIFY = "this.at.notify.write(field, value);";
const SIZE = "common.write(COMMON.queueSize, queue.size);";

export const pciMutants: readonly Mutant[] = [
  {
    id: "takes queue_size for 32 bits wide",
    file: CONSTANTS,
    find: "queueSize: le16(0x18),",
    replace: "queueSize: le32(0x18),",
    breaks: "P-WIDTH",
    scenario: "several targets",
  },
  {
    id: "writes config_generation at a reset",
    file: TRANSPORT,
    find: "this.notifyFields.length = 0;",
    replace: "this.notifyFields.length = 0; this.at.common.write(COMMON.configGeneration, 0);",
    breaks: "P-READ-ONLY",
    scenario: "several targets",
  },
  {
    id: "answers an interrupt with a write to the ISR status",
    file: "runtime/virtio/pci/modern.ts",
    find: "readIsr: () => isr.read(ISR_STATUS),",
    replace:
      "readIsr: () => { const cause = isr.read(ISR_STATUS); isr.write(ISR_STATUS, cause); " +
      "return cause; },",
    breaks: "P-PENDING-WRITE",
    scenario: "several targets",
  },
  {
    id: "gives queue_size as the last index",
    file: TRANSPORT,
    find: SIZE,
    replace: "common.write(COMMON.queueSize, queue.size - 1);",
    breaks: "P-QUEUE-SIZE",
    scenario: "several targets",
  },
  {
    id: "asks for a larger queue than there is",
    file: TRANSPORT,
    find: SIZE,
    replace: "common.write(COMMON.queueSize, queue.size * 2);",
    breaks: "P-QUEUE-LARGER",
    scenario: "several targets",
  },
  {
    id: "selects a queue by the offset of its descriptor",
    file: TRANSPORT,
    find: SIZE,
    replace: `common.write(COMMON.queueSelect, queue.index << 4); ${SIZE}`,
    breaks: "P-QUEUE-ABSENT",
    scenario: "several targets",
  },
  {
    id: "switches queues off before a reset",
    file: TRANSPORT,
    find: "this.notifyFields.length = 0;",
    replace: "this.notifyFields.length = 0; this.at.common.write(COMMON.queueEnable, 0);",
    breaks: "P-ENABLE-ZERO",
    scenario: "several targets",
  },
  {
    id: "enables a queue with all ones",
    file: TRANSPORT,
    find: ENABLE,
    replace: "common.write(COMMON.queueEnable, 0xffff);",
    breaks: "P-ENABLE-VALUE",
    scenario: "several targets",
  },
  {
    id: "enables a queue before it has addresses",
    file: TRANSPORT,
    find: SIZE,
    replace: `${ENABLE} ${SIZE}`,
    breaks: "P-ENABLE-ORDER",
    scenario: "several targets",
  },
  {
    id: "enables a queue before its device area is set",
    file: TRANSPORT,
    find: "writeAreas(this, common, COMMON, queue);",
    replace: `writeAreas(this, common, COMMON, { ...queue, deviceArea: 0 });
    ${ENABLE}
    writeAreas(this, common, COMMON, queue);`,
    breaks: "P-ENABLE-ORDER",
    scenario: "several targets",
  },
  {
    id: "writes into a capability",
    file: STRUCTURES,
    find: "const cfgType = config.read(address, offset + 3, 1);",
    replace: `const cfgType = config.read(address, offset + 3, 1);
    config.write(address, offset + 4, 1, 0);`,
    breaks: "P-CAP-WRITE",
    scenario: "several targets",
  },
  {
    id: "looks at three bits of a capability's type",
    file: STRUCTURES,
    find: "if (capability.cfgType !== need.cfgType) continue;",
    replace: "if ((capability.cfgType & 7) !== need.cfgType) continue;",
    breaks: "P-RESERVED-CAP",
    scenario: "several targets",
  },
  {
    id: "reads a notify multiplier from every capability",
    file: STRUCTURES,
    find: "cfgType === CFG_TYPE.NOTIFY ? config.read(address, offset + VIRTIO_CAP_LENGTH, 4) : 0,",
    replace: "config.read(address, offset + VIRTIO_CAP_LENGTH, 4),",
    breaks: "P-PCI-CFG-ALIGN",
    scenario: "several targets",
  },
  {
    id: "uses the access window before it points anywhere",
    file: STRUCTURES,
    find: "const cfgType = config.read(address, offset + 3, 1);",
    replace: `const cfgType = config.read(address, offset + 3, 1);
    if (cfgType === CFG_TYPE.PCI) {
      config.write(address, offset + 12, 4, 4);
      config.read(address, offset + VIRTIO_CAP_LENGTH, 4);
    }`,
    breaks: "P-PCI-CFG-RANGE",
    scenario: "several targets",
  },
  {
    id: "notifies with 32 bits",
    file: TRANSPORT,
    find: NOTIFY,
    replace: NOTIFY.replace("field,", "{ ...field, width: 4 },"),
    breaks: "P-NOTIFY-WIDTH",
    scenario: "several targets",
  },
  {
    id: "notifies with a 1 instead of the queue's index",
    file: TRANSPORT,
    find: NOTIFY,
    replace: NOTIFY.replace("value", "1"),
    breaks: "P-NOTIFY-VALUE",
    scenario: "several targets",
  },
  {
    id: "ignores the notify multiplier",
    file: TRANSPORT,
    find: "this.at.common.read(COMMON.queueNotifyOff) * this.at.notifyOffMultiplier;",
    replace: "this.at.common.read(COMMON.queueNotifyOff) * 2;",
    breaks: "P-NOTIFY-VALUE",
    scenario: "several targets",
  },
  {
    id: "forgets to enable the deflate queue",
    file: TRANSPORT,
    find: `${ENABLE}\n    if (common.read(COMMON.queueEnable) !== 1) {`,
    replace: `if (queue.index !== 1) ${ENABLE}\n    if (queue.index > 99) {`,
    breaks: "P-NOTIFY-QUEUE",
    scenario: "several targets",
  },
  {
    id: "asks for MSI-X vectors that nobody has",
    file: TRANSPORT,
    find: SIZE,
    replace: `common.write(COMMON.queueMsixVector, 0); ${SIZE}`,
    breaks: "P-MSIX-VECTOR",
    scenario: "several targets",
  },
  {
    id: "reads poison_val though the configuration is shorter",
    file: DEVICE_CONFIG,
    find: "const target = transport.readConfig(BALLOON_CONFIG.numPages);",
    replace: `transport.readConfig(BALLOON_CONFIG.poisonVal);
    const target = transport.readConfig(BALLOON_CONFIG.numPages);`,
    breaks: "P-CONFIG-LENGTH",
    scenario: "several targets",
  },
  {
    id: "leaves I/O decoding off",
    file: "runtime/virtio/pci/transport.ts",
    find: 'io: regions.some(({ kind }) => kind === "io"),',
    replace: "io: false,",
    breaks: "P-DECODE-OFF",
    scenario: "several targets",
  },
  {
    id: "leaves bus mastering off",
    file: BARS,
    find: "const able = before | decode | COMMAND_BUS_MASTER;",
    replace: "const able = before | decode;",
    breaks: "P-BUS-MASTER",
    scenario: "several targets",
  },
  {
    id: "takes a structure to start where its BAR does",
    file: STRUCTURES,
    find: "const start = bar.base + capability.offset;",
    replace: "const start = bar.base;",
    breaks: "P-HOLE",
    scenario: "several targets",
  },
  {
    id: "switches on every virtio function that it meets",
    file: ENUMERATE,
    find: "const headerLayout = config.read(address, HEADER_TYPE, 1) & HEADER_LAYOUT_MASK;",
    replace: `const headerLayout = config.read(address, HEADER_TYPE, 1) & HEADER_LAYOUT_MASK;
  if (vendorId === 0x1af4) config.write(address, 4, 2, 7);`,
    breaks: "P-WRONG-DEVICE",
    scenario: "several targets",
  },
  {
    id: "reads configuration space by double words everywhere",
    file: CONFIG,
    find: "hal.portRead(select(address, offset, width), width) >>> 0,",
    replace: "hal.portRead(select(address, offset, width), 4) % 256 ** width,",
    breaks: "P-CONFIG-ALIGN",
    scenario: "several targets",
  },
  {
    id: "puts the descriptor table 8 bytes too high",
    file: OPEN_QUEUES,
    find: "descriptorArea: core.queue_descriptor_area(queue) >>> 0,",
    replace: "descriptorArea: (core.queue_descriptor_area(queue) >>> 0) + 8,",
    breaks: "R-ALIGN",
    scenario: "several targets",
  },
  {
    id: "writes a 1 into the upper half of addresses",
    file: "runtime/virtio/transport.ts",
    find: "registers.write(high, Math.floor(address / 2 ** 32));",
    replace: "registers.write(high, 1);",
    breaks: "R-MEMORY",
    scenario: "several targets",
  },
  {
    id: "does not read the ISR status",
    file: "runtime/virtio/pci/transport.ts",
    find: "return interruptCause(this.parts.readIsr());",
    replace: "return interruptCause(ISR.QUEUE | ISR.CONFIG);",
    breaks: "Q-ISR-UNREAD",
    scenario: "somebody listens to the interrupt",
  },
];
