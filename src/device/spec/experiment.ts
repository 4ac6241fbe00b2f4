/**
 * An experiment that is in no specification: the two bits that were once proposed in place of
 * MUST_TELL_HOST, so that a driver that says "I will" and a host that says "you need not" are not
 * the same sentence.
 *
 *   WILL_TELL_HOST   the driver accepts it: it tells, and waits, before it uses a page again
 *   SILENT_DEFLATE   the driver accepts it: it may use pages again and never say so
 *
 * The numbers are the last two of those that a device type may give a meaning to on every transport
 * (virtio 1.3, 2.2: 0 to 23), far from those that the specification (0 to 5), its drafts (6) and
 * hosts in the field (8 and 16) use. No device offers them unless it is told to be of this design.
 *
 * It must not hold behaviour. Invariant: these bits are never offered by default.
 */

export const EXPERIMENT = { willTellHost: 22, silentDeflate: 23 } as const;

/** The same as a set of features. */
export const EXPERIMENT_BITS = Object.values(EXPERIMENT).reduce(
  (bits, bit) => bits | (1n << BigInt(bit)),
  0n,
);
