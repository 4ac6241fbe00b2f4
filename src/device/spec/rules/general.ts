/**
 * Rules of bring-up and feature negotiation (virtio 1.3, chapters 2 and 3).
 *
 * It must not hold code: a table only. Invariant: ids start with "G-", those from the field with
 * "Q-", and are never used again for something else.
 */

import type { Rule } from "../rule.ts";

export const GENERAL_RULES = [
  {
    id: "G-RESET-FIRST",
    level: "MUST",
    section: "3.1.1 step 1",
    title: "Initialisation starts with a reset.",
    observed: "The first write to device_status sets bits although nothing was reset before.",
  },
  {
    id: "G-RESET-WAIT",
    level: "MUST",
    section: "4.1.4.3.2",
    title: "After a reset the driver waits until device_status reads 0.",
    observed: "A status bit is set although no read since the reset returned 0.",
  },
  {
    id: "G-ORDER",
    level: "MUST",
    section: "3.1.1",
    title: "ACKNOWLEDGE, DRIVER, FEATURES_OK and DRIVER_OK are set in this order.",
    observed: "A status bit appears while an earlier one is missing.",
  },
  {
    id: "G-ONE-STEP",
    level: "FIELD",
    section: "3.1.1",
    title: "Each step of initialisation is a write of its own.",
    observed: "One write to device_status sets more than one new bit.",
  },
  {
    id: "G-STATUS-CLEARED",
    level: "MUST NOT",
    section: "2.1.1",
    title: "Status bits are only ever added; only a reset clears them.",
    observed: "A write to device_status, not 0, lacks a bit that the driver had set.",
  },
  {
    id: "G-FEATURE-READ",
    level: "MUST",
    section: "2.2.1",
    title: "The driver looks at the offered features before it accepts any.",
    observed: "A word of driver features is written without that word of the offer being read.",
  },
  {
    id: "G-UNOFFERED",
    level: "MUST NOT",
    section: "2.2.1",
    title: "The driver accepts only features that were offered.",
    observed: "At FEATURES_OK an accepted bit is not in the offer; the device refuses.",
  },
  {
    id: "G-RESERVED-BIT",
    level: "MUST NOT",
    section: "2.2.1",
    title: "The driver leaves alone every feature bit that nobody has described.",
    observed: "At FEATURES_OK an accepted bit, though offered, has no meaning for a balloon.",
  },
  {
    id: "G-VERSION-1",
    level: "MUST",
    section: "6.1",
    title: "The driver accepts VERSION_1 when it is offered.",
    observed: "At FEATURES_OK bit 32 is offered and not accepted; the device refuses.",
  },
  {
    id: "G-ACCESS-PLATFORM",
    level: "SHOULD",
    section: "6.1",
    title: "The driver accepts ACCESS_PLATFORM when it is offered.",
    observed: "At FEATURES_OK bit 33 is offered and not accepted.",
  },
  {
    id: "G-ORDER-PLATFORM",
    level: "SHOULD",
    section: "6.1",
    title: "The driver accepts ORDER_PLATFORM when it is offered.",
    observed: "At FEATURES_OK bit 36 is offered and not accepted.",
  },
  {
    id: "G-NOTIF-CONFIG-DATA",
    level: "SHOULD",
    section: "6.1",
    title: "The driver accepts NOTIF_CONFIG_DATA when it is offered.",
    observed: "At FEATURES_OK bit 39 is offered and not accepted.",
  },
  {
    id: "G-FEATURES-LATE",
    level: "MUST NOT",
    section: "3.1.1 step 5",
    title: "The driver accepts no features once FEATURES_OK is set.",
    observed: "Features are written while FEATURES_OK is set, or after a legacy device used them.",
  },
  {
    id: "G-FEATURES-REREAD",
    level: "MUST",
    section: "3.1.1 step 6",
    title: "The driver reads device_status back after it set FEATURES_OK.",
    observed: "Queues are set up or DRIVER_OK is set without a status read since FEATURES_OK.",
  },
  {
    id: "G-FEATURES-REFUSED",
    level: "MUST NOT",
    section: "3.1.1",
    title: "When FEATURES_OK does not stay set, the driver does not go on.",
    observed: "After a refusal the driver enables a queue or sets DRIVER_OK without a reset.",
  },
  {
    id: "G-QUEUE-EARLY",
    level: "MUST",
    section: "3.1.1 step 7",
    title: "Queues are set up after the features are settled.",
    observed: "A queue is enabled before FEATURES_OK was set; on a legacy device, before DRIVER.",
  },
  {
    id: "G-CONFIG-EARLY",
    level: "MUST NOT",
    section: "3.1.1 step 4",
    title: "The driver writes no device configuration before FEATURES_OK.",
    observed: "A write to the device configuration while FEATURES_OK is not set.",
  },
  {
    id: "G-NOTIFY-EARLY",
    level: "MUST NOT",
    section: "3.1.1",
    title: "The driver notifies no queue before DRIVER_OK.",
    observed: "A notification arrives while DRIVER_OK is not set; it is lost.",
  },
  {
    id: "G-AFTER-FAILED",
    level: "MUST",
    section: "2.1.1",
    title: "After FAILED the driver resets the device before it uses it again.",
    observed: "A further status bit is set, or a queue notified, while FAILED is set.",
  },
  {
    id: "G-NEEDS-RESET",
    level: "SHOULD NOT",
    section: "2.1.1",
    title: "The driver does not count on a device that asked to be reset.",
    observed: "A queue is notified after a status read showed DEVICE_NEEDS_RESET.",
  },
  {
    id: "G-CONFIG-FEATURE",
    level: "MUST",
    section: "2.5.1",
    title: "The driver reads an optional field only if its feature was offered.",
    observed: "A read of free_page_hint_cmd_id or poison_val while its bit is not offered.",
  },
  {
    id: "Q-STRANGE-QUEUE",
    level: "FIELD",
    section: "5.5.2, and hosts with queues of proposed features",
    title: "Queues that nobody has described are left alone.",
    observed: "A queue behind the balloon's own, or one without a feature, is enabled.",
  },
  {
    id: "G-QUEUE-FEATURE",
    level: "FIELD",
    section: "5.5.2",
    title: "A queue that belongs to a feature is used only if the feature was accepted.",
    observed: "A buffer is made available on such a queue without the feature.",
  },
] as const satisfies readonly Rule[];
