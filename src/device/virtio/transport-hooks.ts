/** What a transport decides for the device, and the events that it is told of. */

import type { Virtqueue } from "../queue/virtqueue.ts";
import type { RuleId } from "../spec/rules.ts";

/** The device wants to interrupt. */
interface InterruptRequest {
  /** The queue in which buffers were used; `undefined`: the configuration changed. */
  readonly queue: Virtqueue | undefined;
}

export interface TransportHooks {
  /** Whether the device can reach guest memory. */
  reachesMemory(): boolean;
  /** Whether the interrupt line may go up. */
  raisesLine(): boolean;
  /** Feature bits that this transport has no way to carry out (virtio 1.3, 2.2.1). */
  readonly unusable: bigint;
  /** The rule that a driver breaks when it leaves the line up. */
  readonly lineRule: RuleId;
  /**
   * Takes a request. `message`: the transport has messages now, and sent this one, keeps it behind
   * a mask, or lost it. `line`: it has none, and the device's line is to go up.
   */
  interrupt(request: InterruptRequest): "message" | "line";
  /** The device was reset. */
  reset(): void;
  /** The driver has set DRIVER_OK. */
  started(): void;
  /** The driver is at rest: judges what only shows then. */
  check(): void;
}

/** The hooks of a device without a transport: it reaches all memory and has a line. */
export const DEFAULT_HOOKS: TransportHooks = {
  reachesMemory: () => true,
  raisesLine: () => true,
  unusable: 0n,
  lineRule: "Q-ISR-UNREAD",
  interrupt: () => "line",
  reset: () => {},
  started: () => {},
  check: () => {},
};
