/** What each of the balloon's queues is for, by the specification's names (virtio 1.3, 5.5.2). */

/** The core's queues, at the index that the core uses for each (INFLATEQ and so on). */
export const QUEUE_ROLES = [
  "inflateq",
  "deflateq",
  "statsq",
  "free_page_vq",
  "reporting_vq",
] as const;

/** One queue in use. */
export interface QueueStatus {
  readonly role: (typeof QUEUE_ROLES)[number];
  /** Its number on this device, which differs from host to host. */
  readonly index: number;
  /** Entries of its ring. */
  readonly size: number;
}
