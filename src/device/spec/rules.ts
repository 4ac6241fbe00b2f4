/**
 * The table of all rules, and of those that no device can see.
 *
 * It must not hold code. Invariant: an id is unique; whatever the specification demands of a
 * balloon driver stands in one of the two tables.
 */

import { BALLOON_RULES } from "./rules/balloon.ts";
import { FREE_PAGE_RULES } from "./rules/free-pages.ts";
import { GENERAL_RULES } from "./rules/general.ts";
import { LEGACY_RULES } from "./rules/legacy.ts";
import { MMIO_RULES } from "./rules/mmio.ts";
import { MSIX_RULES } from "./rules/msix.ts";
import { PACKED_RULES } from "./rules/packed.ts";
import { PCI_RULES } from "./rules/pci.ts";
import { RING_RULES } from "./rules/ring.ts";

/** Every rule that the device judges. A conformance test owes each of them a test and a mutant. */
export const rules = [
  ...GENERAL_RULES,
  ...PCI_RULES,
  ...MSIX_RULES,
  ...LEGACY_RULES,
  ...MMIO_RULES,
  ...RING_RULES,
  ...PACKED_RULES,
  ...BALLOON_RULES,
  ...FREE_PAGE_RULES,
] as const;

/** The name of a rule. */
export type RuleId = (typeof rules)[number]["id"];

/** A statement that holds for drivers and cannot be judged from the device's side. */
export interface Unobservable {
  readonly id: string;
  readonly section: string;
  readonly title: string;
  readonly reason: string;
}

export const notObservable: readonly Unobservable[] = [
  {
    id: "D3",
    section: "5.5.3.1",
    title: "PAGE_REPORTING needs PAGE_POISON when pages must keep an initial value.",
    reason: "What the guest expects of its pages is not visible from outside.",
  },
  {
    id: "D5",
    section: "5.5.6.1",
    title: "The driver may deflate when num_pages is below what it has given.",
    reason: "A permission cannot be broken.",
  },
  {
    id: "D8",
    section: "5.5.6.1",
    title: "With DEFLATE_ON_OOM pages may be taken back below the target if need be.",
    reason: "Whether the guest was short of memory is not visible; D7 is not judged then.",
  },
  {
    id: "D11",
    section: "5.5.6.1",
    title: "Without MUST_TELL_HOST pages may be used before the deflate is acknowledged.",
    reason: "A permission cannot be broken; that the host is told at all is D9.",
  },
  {
    id: "D16",
    section: "5.5.6.2.1",
    title: "The used length is ignored on inflate and deflate.",
    reason: "Only the outcome shows it: run the driver with every `usedLength`.",
  },
  {
    id: "D22-RELEASE",
    section: "5.5.6.5.1",
    title: "At DONE all hinted pages are released for use.",
    reason: "Whether the guest may use a page is not visible; a page need not be touched.",
  },
  {
    id: "D23",
    section: "5.5.6.5.1",
    title: "Hinted pages may be released at any time.",
    reason: "A permission cannot be broken; that they are initialised then is D24.",
  },
  {
    id: "D26-UNINITIALISED",
    section: "5.5.6.7.1",
    title: "Without PAGE_POISON reported pages are treated as uninitialised memory.",
    reason: "What the guest makes of its pages is not visible; they come back as garbage.",
  },
  {
    id: "D12-UNSEEN",
    section: "5.5.6.1",
    title: "A page is not used after it was added and before the device has looked.",
    reason: "The device learns of a page only when it takes the buffer.",
  },
  {
    id: "BARRIERS",
    section: "2.7.13.3.1, 2.7.13.4.1, 2.8.21.1.1 and 2.8.21.3.1",
    title: "Memory barriers stand before idx or flags are updated and before events are read.",
    reason: "One thread runs driver and device; a missing barrier has no effect here.",
  },
  {
    id: "GENERATION",
    section: "2.5.1",
    title: "Reads of several fields are guarded by config_generation.",
    reason: "The device cannot know which reads a driver takes together.",
  },
  {
    id: "CONFIG-TWICE",
    section: "2.5.4",
    title: "Without config_generation several fields are read until two reads agree.",
    reason: "The device cannot know which reads a driver takes together.",
  },
  {
    id: "LAYOUT-DETECTION",
    section: "4.1.5.1.1.1",
    title: "A transitional driver uses a device without virtio capabilities as a legacy one.",
    reason: 'Only the outcome shows it: use `transport: "legacy"`.',
  },
  {
    id: "VECTORS-ANY",
    section: "4.1.5.1.2.2",
    title: "A driver works with every size of the MSI-X table, and when a vector is refused.",
    reason: "Only the outcome shows it: use `vectors`, and the fault `vector-refused`.",
  },
  {
    id: "VECTOR-SHARED",
    section: "4.1.5.4.2",
    title: "One interrupt may tell of the configuration and of queues at once.",
    reason: "Only the outcome shows it: use `vectors: 1`.",
  },
  {
    id: "SPURIOUS",
    section: "2.7.7.1",
    title: "Notifications without cause are survived.",
    reason: "Only the outcome shows it: use `spuriousInterrupt`.",
  },
  {
    id: "INTERRUPT-BITS",
    section: "4.2.2.2",
    title: "Undefined bits of InterruptStatus are ignored.",
    reason: "A device has to keep them 0; that none is acknowledged is M-ACK-UNDEFINED.",
  },
  {
    id: "CAP-LENGTH",
    section: "4.1.4.1",
    title: "Longer capabilities and longer structures than needed are accepted.",
    reason: "Only the outcome shows it: profile `strict` has both.",
  },
  {
    id: "FAILED-BIT",
    section: "3.1.1",
    title: "A driver that gives up sets FAILED.",
    reason: "The device cannot tell giving up from waiting; the machine shows `status`.",
  },
  {
    id: "USED-TRUST",
    section: "2.7.8",
    title: "A driver survives a used ring that lies.",
    reason: "Only the outcome shows it: use `faults`.",
  },
];
