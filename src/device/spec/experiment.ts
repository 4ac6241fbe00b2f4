/**
 * An experiment that is in no specification: two bits in place of MUST_TELL_HOST, so that what the
 * driver promises and what the host permits are said separately.
 *
 *   WILL_TELL_HOST   the driver accepts it: it tells, and waits, before it uses a page again
 *   SILENT_DEFLATE   the driver accepts it: it may use pages again without telling
 *
 * The numbers are the last two that a device type may define on every transport (virtio 1.3, 2.2: 0
 * to 23), far from those of the specification (0 to 5), of its drafts (6) and of hosts in the field
 * (8 and 16). A machine offers them only with the host design `two-bit`.
 */

import { setOf } from "./bits.ts";

export const EXPERIMENT = { willTellHost: 22, silentDeflate: 23 } as const;

/** Both bits as a set. */
export const EXPERIMENT_BITS = setOf(Object.values(EXPERIMENT));
