/**
 * What lies between a device and its driver besides registers: memory, line, messages.
 *
 * It must not know any bus. Invariant: a device that nothing else is said of reaches all memory,
 * may raise its line, and has no messages.
 */

import type { Virtqueue } from "../queue/virtqueue.ts";
import type { RuleId } from "../spec/rules.ts";

/** What the transport decides for the device, and what it wants to hear of it. */
export interface Wiring {
  /** Whether the device can reach guest memory. */
  reachesMemory(): boolean;
  /** Whether the interrupt line may go up. */
  raisesLine(): boolean;
  /** Feature bits that this transport has no way to carry out (virtio 1.3, 2.2.1). */
  readonly unusable: bigint;
  /** What a driver breaks that leaves the line up. */
  readonly lineRule: RuleId;
  /**
   * Tells of used buffers in a queue, or with `undefined` of a new configuration, by a message.
   * Returns false when the device has no messages now and its line has to go up.
   */
  signal(queue: Virtqueue | undefined): boolean;
  /** The device was reset. */
  reset(): void;
  /** The driver has set DRIVER_OK. */
  started(): void;
  /** The driver is at rest: judges what only shows then. */
  check(): void;
}

export const PLAIN_WIRING: Wiring = {
  reachesMemory: () => true,
  raisesLine: () => true,
  unusable: 0n,
  lineRule: "Q-ISR-UNREAD",
  signal: () => false,
  reset: () => {},
  started: () => {},
  check: () => {},
};
