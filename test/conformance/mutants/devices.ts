/** Mistakes in meeting devices that are legal and not what the driver's author had before him. */
import type { Mutant } from "./mutant.ts";

const BRING_UP = "runtime/virtio/bring-up.ts";
const CONSTANTS = "runtime/balloon/constants.ts";
const DRIVER = "runtime/balloon/driver.ts";
const MODERN_PCI = "runtime/virtio/pci/modern.ts";
const PERSONAS = "runtime/balloon/personas.ts";
const STRUCTURES = "runtime/virtio/pci/capability-regions.ts";

const SIZE = "common.write(COMMON.queueSize, queue.size);";
const CAPABILITY = "if (capability.cfgType !== need.cfgType) continue;";
const LENGTH = "if (capability.length < need.length) {";
const CAUSE = "if (ours) this.turn?.wake(cause.config);";

export const deviceMutants: readonly Mutant[] = [
  {
    id: "cannot do without EVENT_IDX",
    file: MODERN_PCI,
    find: "featureSet(FEATURE.VERSION_1);",
    replace: "featureSet(FEATURE.VERSION_1, FEATURE.EVENT_IDX);",
    breaks: "B-COMES-UP",
    scenario: "targets, without EVENT_IDX",
  },
  {
    id: "fails when it is offered a feature that it does not know",
    file: BRING_UP,
    find: "if (!isSubset(required, offered)) {",
    replace: "if (!isSubset(required, offered) || offered >> 41n !== 0n) {",
    breaks: "B-COMES-UP",
    scenario: "targets, bits without a meaning offered",
  },
  {
    id: "gives a device up in the middle of bring-up without FAILED",
    file: BRING_UP,
    find: "const gone = resetting ? undefined : giveUp(this.transport);",
    replace: "const gone = resetting ? undefined : undefined;",
    breaks: "B-FAILED-BIT",
    scenario: "a device without VERSION_1",
  },
  {
    id: "declines ACCESS_PLATFORM",
    file: PERSONAS,
    find: "    FEATURE.ACCESS_PLATFORM,\n",
    replace: "",
    breaks: "G-ACCESS-PLATFORM",
    scenario: "every feature of platforms offered",
  },
  {
    id: "declines ORDER_PLATFORM",
    file: PERSONAS,
    find: "    FEATURE.ORDER_PLATFORM,\n",
    replace: "",
    breaks: "G-ORDER-PLATFORM",
    scenario: "every feature of platforms offered",
  },
  {
    id: "declines NOTIF_CONFIG_DATA",
    file: PERSONAS,
    find: "    FEATURE.NOTIF_CONFIG_DATA,\n",
    replace: "",
    breaks: "G-NOTIF-CONFIG-DATA",
    scenario: "queues that the device has words for",
  },
  {
    id: "knows a balloon by its transitional id alone",
    file: CONSTANTS,
    find: "  VIRTIO_PCI_MODERN_BASE + DEVICE_ID_BALLOON,\n",
    replace: "",
    breaks: "B-COMES-UP",
    scenario: "several targets",
  },
  {
    id: "takes the entropy source's transitional id for a balloon's",
    file: CONSTANTS,
    find: "  0x1002,\n",
    replace: "  0x1005,\n",
    breaks: "P-WRONG-DEVICE",
    scenario: "a transitional device",
  },
  {
    id: "knows a balloon by its modern id alone",
    file: CONSTANTS,
    find: "  0x1002,\n",
    replace: "",
    breaks: "B-COMES-UP",
    scenario: "a transitional device",
  },
  {
    id: "wants a modern device to have revision 1",
    file: MODERN_PCI,
    find: "const capabilities = readVirtioCapabilities(config, address);",
    replace:
      "const capabilities =\n" +
      "    config.read(address, 8, 1) === 1 ? readVirtioCapabilities(config, address) : [];",
    breaks: "B-COMES-UP",
    scenario: "a device of revision 7",
  },
  {
    id: "wants a capability of exactly the length that it knows",
    file: STRUCTURES,
    find: "if (capLength < needed || ",
    replace: "if (capLength !== needed || ",
    breaks: "B-COMES-UP",
    scenario: "several targets",
  },
  {
    id: "gives up at a BAR number that is reserved",
    file: STRUCTURES,
    find: "badBar = true;",
    replace: "badBar = true;\n      if (capability.bar > 5) break;",
    breaks: "B-COMES-UP",
    scenario: "several targets",
  },
  {
    id: "wants a structure of exactly the length that it knows",
    file: STRUCTURES,
    find: LENGTH,
    replace: LENGTH.replace("<", "!=="),
    breaks: "B-COMES-UP",
    scenario: "several targets",
  },
  {
    id: "wants a configuration of exactly the size that it knows",
    file: STRUCTURES,
    find: LENGTH,
    replace: LENGTH.replace(
      ") {",
      " || (need.cfgType === CFG_TYPE.DEVICE && capability.length > 16)) {",
    ),
    breaks: "B-COMES-UP",
    scenario: "several targets",
  },
  {
    id: "uses the last capability of a type",
    file: STRUCTURES,
    find: "for (const capability of capabilities) {",
    replace: "for (const capability of [...capabilities].reverse()) {",
    breaks: "P-CAP-FIRST",
    scenario: "several targets",
  },
  {
    id: "takes a vendor's data for a common configuration",
    file: STRUCTURES,
    find: CAPABILITY,
    replace: `const type = capability.cfgType === CFG_TYPE.VENDOR ? 1 : capability.cfgType;
    if (type !== need.cfgType) continue;`,
    breaks: "P-RESERVED-CAP",
    scenario: "several targets",
  },
  {
    id: "clears queue_size before it sets it",
    file: MODERN_PCI,
    find: SIZE,
    replace: `common.write(COMMON.queueSize, 0); ${SIZE}`,
    breaks: "P-QUEUE-SIZE",
    scenario: "packed rings",
  },
  {
    id: "enables a queue again as it was before its reset",
    file: MODERN_PCI,
    find: SIZE,
    replace: `const done = this as { again?: boolean[] };
    done.again ??= [];
    if (done.again[queue.index]) return common.write(COMMON.queueEnable, 1);
    done.again[queue.index] = true;
    ${SIZE}`,
    breaks: "P-ENABLE-ORDER",
    scenario: "a queue that hangs",
  },
  {
    id: "notifies with 16 bits though it promised 32",
    file: MODERN_PCI,
    find: "width: this.accepted.has(FEATURE.NOTIFICATION_DATA) ? 4 : 2",
    replace: "width: 2",
    breaks: "P-NOTIFY-WIDTH",
    scenario: "data with notifications",
  },
  {
    id: "puts a queue's index above the data of its notification",
    file: "runtime/virtio/transport.ts",
    find: "return next * 0x1_0000 + word;",
    replace: "return word * 0x1_0000 + next;",
    breaks: "P-NOTIFY-VALUE",
    scenario: "data with notifications",
  },
  {
    id: "names queues by their index though it promised the device's word for them",
    file: MODERN_PCI,
    find: "this.accepted.has(FEATURE.NOTIF_CONFIG_DATA)\n      ?",
    replace: "queue.index < 0\n      ?",
    breaks: "P-NOTIFY-VALUE",
    scenario: "queues that the device has words for",
  },
  {
    id: "sends a queue's index with data though it promised the device's word for it",
    file: MODERN_PCI,
    find: "notificationData(this, index, next, word)",
    replace: "notificationData(this, index, next)",
    breaks: "P-NOTIFY-VALUE",
    scenario: "queues that the device has words for, data with notifications",
  },
  {
    id: "takes an interrupt without a cause for the device's end",
    file: DRIVER,
    find: CAUSE,
    replace: `${CAUSE}\n    else this.stop();`,
    breaks: "B-TARGET",
    scenario: "interrupts without a cause",
  },
  {
    id: "takes an interrupt for one thing or the other",
    file: DRIVER,
    find: CAUSE,
    replace: "if (ours) this.turn?.wake(cause.config && !cause.queue);",
    breaks: "B-PROMPT",
    scenario: "one interrupt for two things",
  },
  {
    id: "takes its pages back before the device has stopped",
    file: DRIVER,
    find: "this.transport.tearDown();",
    replace: "{ this.transport.tearDown(); this.core.ledger_reclaim(); }",
    breaks: "B-STOP",
    scenario: "stop, buffers in flight",
  },
];
