/** What the balloon device can be asked to be, whatever the transport. */

import type { HostDesignName } from "../host/host-design.ts";
import type { HostVersion } from "../host/host-version.ts";
import type { Offer } from "../host/offer.ts";
import type { CompletionOption } from "../host/schedule.ts";

/** The options that are the balloon device's own. */
export interface DeviceOptions {
  /** Frames of 4 KiB that the guest has. Default: as many as the memory holds now. */
  readonly frames?: number;
  /** Features to offer, where they differ from the profile's. */
  readonly offer?: Offer;
  /** Be the host of this version, and offer nothing newer. Default: the newest. */
  readonly hostVersion?: HostVersion;
  /** What the host does with the memory behind the balloon. Default `plain`. */
  readonly hostDesign?: HostDesignName;
  /**
   * Queues behind the balloon's own that belong to features which nobody has described, as one host
   * has them. A driver leaves them alone. Default 0, at most 8.
   */
  readonly strangeQueues?: number;
  /** When buffers are returned. Default: the profile's schedule. */
  readonly completion?: CompletionOption;
  /** Whether the device asks for no notifications while it has buffers to return. Default no. */
  readonly quietWhileBusy?: boolean;
  /**
   * Whether a device that uses buffers in order reports those that are done together with one used
   * entry (2.7.9 and 2.8.8). Default yes; without IN_ORDER it means nothing.
   */
  readonly inOrderBatches?: boolean;
  /**
   * Whether held pages are overwritten, so that a guest that touches them is found. Default yes.
   */
  readonly canary?: boolean;
  /** Seed of the contents of held pages and of random schedules. Default 1. */
  readonly seed?: number;
  /** What `actual` shows before any driver came, as left over by an earlier guest. Default 0. */
  readonly staleActual?: number;
}

/** What is known when a driver is judged at rest. */
export interface CheckOptions {
  /** The guest has no more pages to give: D4 is not judged. Default false. */
  readonly memoryShort?: boolean;
}
