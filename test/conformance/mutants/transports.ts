/** Mistakes on the older PCI interface, with a device that has both, and with MSI-X. */
import type { Mutant } from "./mutant.ts";

const INTERRUPTS = "runtime/virtio/interrupts.ts";
const LEGACY = "runtime/virtio/legacy-pci.ts";
const MODERN = "runtime/virtio/modern-pci.ts";
const MSIX = "runtime/pci/msix.ts";
const PCI_INTERRUPTS = "runtime/virtio/pci-interrupts.ts";
const QUEUES = "runtime/balloon/queues.ts";

export const transportMutants: readonly Mutant[] = [
  {
    id: "sets FEATURES_OK on a legacy device, too",
    file: "runtime/virtio/bring-up.ts",
    find: 'name: transport.isLegacy ? "check-offer" : "set-features-ok" }',
    replace: 'name: "set-features-ok" }',
    breaks: "L-FEATURES-OK",
    scenario: "legacy PCI",
  },
  {
    id: "accepts ANY_LAYOUT of no device",
    file: QUEUES,
    find: "if (hasFeature(offered, FEATURE.VERSION_1)) accept",
    replace: "accept",
    breaks: "L-ANY-LAYOUT",
    scenario: "legacy PCI",
  },
  {
    id: "knows the sizes of a legacy device's queues by heart",
    file: LEGACY,
    find: "return this.header.read(LEGACY.queueSize);",
    replace: "return index < 3 ? 128 : 0;",
    breaks: "L-SIZE-READ",
    scenario: "legacy PCI",
  },
  {
    id: "writes the address of a legacy queue twice",
    file: LEGACY,
    find: "this.header.write(LEGACY.queueAddress, pfn);",
    replace:
      "this.header.write(LEGACY.queueAddress, pfn); this.header.write(LEGACY.queueAddress, pfn);",
    breaks: "L-QUEUE-MOVED",
    scenario: "legacy PCI",
  },
  {
    id: "takes the status of a legacy device for 16 bits wide",
    file: "runtime/virtio/constants.ts",
    find: "deviceStatus: u8(0x12),",
    replace: "deviceStatus: le16(0x12),",
    breaks: "P-WIDTH",
    scenario: "legacy PCI",
  },
  {
    id: "notifies a legacy device with 32 bits",
    file: "runtime/virtio/constants.ts",
    find: "queueNotify: le16(0x10),",
    replace: "queueNotify: le32(0x10),",
    breaks: "P-NOTIFY-WIDTH",
    scenario: "legacy PCI",
  },
  {
    id: "notifies a legacy device of the queue's mask",
    file: LEGACY,
    find: "this.header.write(LEGACY.queueNotify, index);",
    replace: "this.header.write(LEGACY.queueNotify, 1 << (index + 4));",
    breaks: "P-NOTIFY-VALUE",
    scenario: "legacy PCI",
  },
  {
    id: "asks a legacy device for smaller queues",
    file: LEGACY,
    find: "const pfn = legacyPfn(this, queue);",
    replace: "const pfn = legacyPfn(this, queue); this.header.write(LEGACY.queueSize, size);",
    breaks: "P-READ-ONLY",
    scenario: "legacy PCI",
  },
  {
    id: "places a legacy queue under another one's number",
    file: LEGACY,
    find: "const pfn = legacyPfn(this, queue);",
    replace:
      "const pfn = legacyPfn(this, queue); this.header.write(LEGACY.queueSelect, index + 4);",
    breaks: "P-QUEUE-ABSENT",
    scenario: "legacy PCI",
  },
  {
    id: "tells a legacy device of a queue by its address",
    file: LEGACY,
    find: "this.header.write(LEGACY.queueAddress, pfn);",
    replace: "this.header.write(LEGACY.queueAddress, pfn * 4096);",
    breaks: "R-MEMORY",
    scenario: "legacy PCI",
  },
  {
    id: "writes actual by halves where any width is allowed",
    file: LEGACY,
    find: "this.header.write(this.place(field), value);",
    replace: `const { offset } = this.place(field);
    this.header.write({ offset, width: 2 }, value & 0xffff);
    this.header.write({ offset: offset + 2, width: 2 }, value >>> 16);`,
    breaks: "D17",
    scenario: "legacy PCI",
  },
  {
    id: "does not see the configuration move",
    file: LEGACY,
    find: 'const isMsix = this.interruptMode.kind === "msix";',
    replace: 'const isMsix = this.interruptMode.kind === "polling";',
    breaks: "L-CONFIG-PLACE",
    scenario: "legacy PCI, MSI-X",
  },
  {
    id: "reads the ISR status of the interface that it does not use",
    file: PCI_INTERRUPTS,
    find: "return CAUSES[this.options.readIsr() & (ISR.QUEUE | ISR.CONFIG)] as InterruptCause;",
    replace:
      "return CAUSES[this.options.hal.portRead(0xc013, 1) & (ISR.QUEUE | ISR.CONFIG)] " +
      "as InterruptCause;",
    breaks: "P-MIXED",
    scenario: "transitional, its modern interface",
  },
  {
    id: "believes that a vector was taken",
    file: MODERN,
    find: `common.write(COMMON.queueMsixVector, vector);
        return common.read(COMMON.queueMsixVector);`,
    replace: "common.write(COMMON.queueMsixVector, vector); return vector;",
    breaks: "P-MSIX-READ-BACK",
    scenario: "MSI-X",
  },
  {
    id: "gives vectors before MSI-X is on",
    file: INTERRUPTS,
    find: "msix.enable(this.held.slice(0, plan.messages));\n      if (this.assign(plan))",
    replace:
      "const isTaken = this.assign(plan);\n      msix.enable(this.held.slice(0, plan.messages));\n      if (isTaken)",
    breaks: "P-MSIX-ORDER",
    scenario: "MSI-X",
  },
  {
    id: "falls back to the line and leaves MSI-X on",
    file: INTERRUPTS,
    find: "msix.disable();\n    return undefined;",
    replace: "return undefined;",
    breaks: "P-MSIX-LEFT-ON",
    scenario: "MSI-X, every vector refused",
  },
  {
    id: "asks the ISR status who sent a message",
    file: PCI_INTERRUPTS,
    find: 'if (this.mode.kind !== "msix") {',
    replace: 'this.options.readIsr(); if (this.mode.kind !== "msix") {',
    breaks: "P-MSIX-ISR",
    scenario: "MSI-X",
  },
  {
    id: "masks an entry by its lowest byte",
    file: MSIX,
    find: "hal.mmioWrite(at + 12, 4, (hal.mmioRead(at + 12, 4) & ~ENTRY_MASK) >>> 0);",
    replace: "hal.mmioWrite(at + 12, 1, hal.mmioRead(at + 12, 4) & ~ENTRY_MASK & 0xff);",
    breaks: "P-MSIX-WIDTH",
    scenario: "MSI-X",
  },
  {
    id: "writes the table while it is live",
    file: MSIX,
    find: "this.writeControl(control | CONTROL_ENABLE | CONTROL_FUNCTION_MASK);",
    replace: "this.writeControl(control | CONTROL_ENABLE);",
    breaks: "P-MSIX-LIVE",
    scenario: "MSI-X, every vector refused",
  },
  {
    id: "unmasks an entry without an upper half",
    file: MSIX,
    find: "hal.mmioWrite(at + 4, 4, Math.floor(address / TWO_32));",
    replace: "",
    breaks: "P-MSIX-UNWRITTEN",
    scenario: "MSI-X",
  },
  {
    id: "puts the number of an entry into its address",
    file: MSIX,
    find: "hal.mmioWrite(at, 4, address % TWO_32);",
    replace: "hal.mmioWrite(at, 4, (address % TWO_32) + index);",
    breaks: "P-MSIX-ADDRESS",
    scenario: "MSI-X",
  },
  {
    id: "unmasks an entry by setting all its other bits",
    file: MSIX,
    find: "(hal.mmioRead(at + 12, 4) & ~ENTRY_MASK) >>> 0",
    replace: "~ENTRY_MASK >>> 0",
    breaks: "P-MSIX-RESERVED",
    scenario: "MSI-X",
  },
  {
    id: "counts messages from one entry on",
    file: MSIX,
    find: "hal.mmioWrite(at + 8, 4, data);",
    replace: "hal.mmioWrite(at + 8, 4, data + 64);",
    breaks: "P-MSIX-MESSAGE",
    scenario: "MSI-X",
  },
  {
    id: "leaves the function masked",
    file: MSIX,
    find: "});\n    this.writeControl(control | CONTROL_ENABLE);",
    replace: "});\n    this.writeControl(control | CONTROL_ENABLE | CONTROL_FUNCTION_MASK);",
    breaks: "P-MSIX-PENDING",
    scenario: "MSI-X",
  },
  {
    id: "does without messages when there is one for all",
    file: INTERRUPTS,
    find: "{ messages: 1, config: 0, queues: vectors(() => 0) },",
    replace: "",
    breaks: "B-INTERRUPTS",
    scenario: "MSI-X, one vector",
  },
  {
    id: "asks for as many messages as there are vectors",
    file: INTERRUPTS,
    find: "if (plan.messages > msix.tableSize || !this.hold(plan.messages)) continue;",
    replace: "if (plan.messages > msix.tableSize || !this.hold(msix.tableSize)) continue;",
    breaks: "B-INTERRUPTS",
    scenario: "MSI-X, few messages left",
  },
];
