/** In what devices in the field break the specification, beside their balloon. */

/** Statements of the specification that a device breaks, where our own checks found it. */
export interface Lapses {
  /** It serves queues, and interrupts, before DRIVER_OK (2.1.2). */
  readonly servesEarly: boolean;
  /** It sets FEATURES_OK for features that it does not offer, and does without them (2.2.2). */
  readonly acceptsAll: boolean;
  /** It takes a table for a buffer unless the table's descriptor is the first (2.7.5.3.2). */
  readonly onlyFirstIsTable: boolean;
  /** It interrupts for the first used buffers of a queue, whatever used_event says (2.7.7.2). */
  readonly firstUseInterrupts: boolean;
  /** It serves a queue over MMIO whose QueueReady was set to 0 (4.2.2.1). */
  readonly servesUnready: boolean;
  /** It passes over a chain that it cannot read, and never asks for a reset. */
  readonly neverNeedsReset: boolean;
  /** PCI's status register does not show the interrupt (4.1.4.5.1). */
  readonly hidesInterrupt: boolean;
}

/** A device that keeps it. */
export const NO_LAPSES: Lapses = {
  servesEarly: false,
  acceptsAll: false,
  onlyFirstIsTable: false,
  firstUseInterrupts: false,
  servesUnready: false,
  neverNeedsReset: false,
  hidesInterrupt: false,
};
