/** The options of the balloon device, which are the same for every transport. */

import type { HostDesignName } from "../host/host-design.ts";
import type { HostVersion } from "../host/host-version.ts";
import type { Offer } from "../host/offer.ts";
import type { CompletionOption } from "../host/schedule.ts";

/** Options of a machine that are about its balloon device. */
export interface BalloonOptions {
  /** Frames of 4 KiB that the guest has. Default: as many as fit in the memory now. */
  readonly frames?: number;
  /** Features to offer, where they differ from the profile's. */
  readonly offer?: Offer;
  /** The version of the host: the device offers nothing newer. Default: the newest. */
  readonly hostVersion?: HostVersion;
  /** What the host does with the memory behind the balloon. Default `plain`. */
  readonly hostDesign?: HostDesignName;
  /**
   * Queues of undescribed features after the balloon's own, which one host in the field has. A
   * driver leaves them alone. Default 0, at most 8.
   */
  readonly strangeQueues?: number;
  /** When buffers are returned. Default: the profile's schedule. */
  readonly completion?: CompletionOption;
  /** Whether the device suppresses notifications while it has buffers to return. Default no. */
  readonly quietWhileBusy?: boolean;
  /**
   * With IN_ORDER: whether buffers that are returned together have one used entry (virtio 1.3,
   * 2.7.9 and 2.8.8). Default yes.
   */
  readonly inOrderBatches?: boolean;
  /**
   * Whether held pages are overwritten, so that the guest's writes to them are found. Default yes.
   */
  readonly canary?: boolean;
  /** Seed of the contents of held pages and of random schedules. Default 1. */
  readonly seed?: number;
  /** `actual` before any driver started, as an earlier guest left it. Default 0. */
  readonly staleActual?: number;
}

/** Options of `Machine.check`: what the caller knows of the guest. */
export interface CheckOptions {
  /** True when the guest has no more pages to give: D4 is not judged then. Default false. */
  readonly memoryShort?: boolean;
}
