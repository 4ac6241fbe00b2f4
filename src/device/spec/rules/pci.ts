/**
 * Rules of virtio over PCI (virtio 1.3, 4.1).
 *
 * It must not hold code: a table only. Invariant: ids start with "P-" and are never used again for
 * something else.
 */

import type { Rule } from "../rule.ts";

export const PCI_RULES = [
  {
    id: "P-WIDTH",
    level: "MUST",
    section: "4.1.3.1",
    title: "Every field is accessed with its own width, aligned.",
    observed: "An access to a virtio structure has another width or crosses fields.",
  },
  {
    id: "P-READ-ONLY",
    level: "MUST NOT",
    section: "4.1.4.3.2",
    title: "Read-only registers are not written.",
    observed:
      "A write to device_feature, num_queues, config_generation, queue_notify_off or the ISR " +
      "status, to queue_size of a legacy device, or to MSI-X's pending bits.",
  },
  {
    id: "P-QUEUE-SIZE",
    level: "MUST NOT",
    section: "4.1.4.3.2",
    title: "queue_size is a power of two; with RING_PACKED any number but 0.",
    observed: "0 is written to queue_size or, without RING_PACKED, no power of two.",
  },
  {
    id: "P-QUEUE-LARGER",
    level: "MUST NOT",
    section: "4.1.5.1.3",
    title: "A queue is made smaller than offered, never larger.",
    observed: "A value above the offered size is written to queue_size.",
  },
  {
    id: "P-QUEUE-ABSENT",
    level: "MUST NOT",
    section: "4.1.5.1.3",
    title: "A queue whose size reads 0 does not exist and is not set up.",
    observed: "A field of a queue that the device does not have is written.",
  },
  {
    id: "P-ENABLE-ZERO",
    level: "MUST NOT",
    section: "4.1.4.3.2",
    title: "0 is never written to queue_enable.",
    observed: "A write of 0 to queue_enable.",
  },
  {
    id: "P-ENABLE-VALUE",
    level: "FIELD",
    section: "4.1.4.3",
    title: "queue_enable takes 1 and nothing else.",
    observed: "A write of another value than 0 or 1 to queue_enable.",
  },
  {
    id: "P-ENABLE-ORDER",
    level: "MUST",
    section: "4.1.4.3.2",
    title: "The other fields of a queue are set before it is enabled.",
    observed: "queue_enable comes before all three addresses, or a field changes after it.",
  },
  {
    id: "P-CAP-WRITE",
    level: "MUST NOT",
    section: "4.1.4.1",
    title: "Capability structures are not written, except the configuration access one.",
    observed: "A configuration write hits a virtio capability of another type.",
  },
  {
    id: "P-RESERVED-CAP",
    level: "MUST",
    section: "4.1.4.1",
    title: "Capabilities with a reserved type or BAR number are ignored, and those of vendors.",
    observed: "An access to the region that only such a capability describes.",
  },
  {
    id: "P-CAP-FIRST",
    level: "SHOULD",
    section: "4.1.4.1",
    title: "Of several capabilities of a type the first usable one is used.",
    observed: "An access reaches a structure by a capability that is not the first of its type.",
  },
  {
    id: "P-PCI-CFG-ALIGN",
    level: "MUST NOT",
    section: "4.1.4.9.2",
    title: "The configuration access window is used aligned, with 1, 2 or 4 bytes.",
    observed: "pci_cfg_data is used with a bad length or an offset that is no multiple of it.",
  },
  {
    id: "P-PCI-CFG-RANGE",
    level: "MUST NOT",
    section: "4.1.4.9.2",
    title: "The configuration access window stays inside a virtio structure.",
    observed: "pci_cfg_data is used while BAR, offset and length name no such range.",
  },
  {
    id: "P-NOTIFY-WIDTH",
    level: "MUST",
    section: "4.1.5.2.1",
    title: "A notification is a 16-bit write, with NOTIFICATION_DATA a 32-bit one.",
    observed: "A write of another width to a notify address; it is lost.",
  },
  {
    id: "P-NOTIFY-VALUE",
    level: "MUST",
    section: "4.1.5.2.1",
    title:
      "A notification names its queue, at the address of that queue: by its index or, with " +
      "NOTIF_CONFIG_DATA, by queue_notif_config_data.",
    observed: "The value names no queue, or that queue has another notify address.",
  },
  {
    id: "P-NOTIFY-DATA",
    level: "MUST",
    section: "2.9 and 2.8.16",
    title: "With NOTIFICATION_DATA next_off and next_wrap name the next descriptor to be filled.",
    observed: "They differ from what the ring shows when the notification comes.",
  },
  {
    id: "P-RESET-VALUE",
    level: "FIELD",
    section: "4.1.4.3",
    title: "queue_reset takes 1 and nothing else.",
    observed: "Another value is written to queue_reset.",
  },
  {
    id: "R-RESET-WAIT",
    level: "MUST",
    section: "2.6.1.1.2 and 4.1.4.3.2",
    title: "A queue that is reset by itself is left alone until queue_reset reads 0.",
    observed: "It is set up, enabled or notified although no read of queue_reset gave 0 yet.",
  },
  {
    id: "P-NOTIFY-QUEUE",
    level: "FIELD",
    section: "4.1.5.2",
    title: "Only queues that are enabled are notified.",
    observed: "A notification names a queue that is not enabled.",
  },
  {
    id: "P-CONFIG-LENGTH",
    level: "MUST NOT",
    section: "2.5.1",
    title: "The driver stays inside the device configuration that exists.",
    observed: "An access beyond the length of the device configuration; reads give ones.",
  },
  {
    id: "P-DECODE-OFF",
    level: "FIELD",
    section: "PCI 3.0, 6.2.2",
    title: "A BAR is used only while its decoding is switched on.",
    observed: "An access to an I/O or memory BAR whose enable bit in the command register is 0.",
  },
  {
    id: "P-BUS-MASTER",
    level: "FIELD",
    section: "PCI 3.0, 6.2.2",
    title: "Bus mastering is on before the device has to reach guest memory.",
    observed: "DRIVER_OK or a notification while the bit is 0; the queue is not read.",
  },
  {
    id: "P-HOLE",
    level: "FIELD",
    section: "4.1.4",
    title: "Only structures that a capability describes are accessed.",
    observed: "An access inside a BAR of the balloon but outside its structures.",
  },
  {
    id: "P-MIXED",
    level: "MUST",
    section: "2.2.3 and 4.1.4.10",
    title: "Of a transitional device one interface is used from one reset to the next.",
    observed: "An access by the interface that the first write since the reset did not choose.",
  },
  {
    id: "P-WRONG-DEVICE",
    level: "MUST",
    section: "4.1.2.2",
    title: "The driver matches by vendor and device id, and leaves other devices alone.",
    observed: "A configuration write or a BAR access reaches a decoy.",
  },
  {
    id: "P-CONFIG-ALIGN",
    level: "FIELD",
    section: "PCI 3.0, 3.2.2.3.2",
    title: "Configuration accesses do not cross a double word.",
    observed: "An access at port 0xCFC + n with a width that reaches beyond 0xCFF.",
  },
] as const satisfies readonly Rule[];
