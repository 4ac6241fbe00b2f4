/**
 * Counts what driver and device of v86's own balloon tell each other: kicks and interrupts. The
 * device's own count of pages begins anew with each reset.
 */
import type { V86BalloonDevice, V86Loop } from "./internals.ts";

/** Where v86's balloon is notified: a port for each of at most eight queues (v86, `virtio.js`). */
const NOTIFY_PORT = 0xd900;
const NOTIFY_PORTS = 16;

/** What was counted since the machine was launched. */
export interface V86Counters {
  /** Notifications by the driver. */
  readonly notifications: number;
  /** Interrupts of the device. */
  readonly interrupts: number;
}

/** Counts from now on. Returns the counters, which go on. */
export function countSignals({ cpu }: V86Loop, device: V86BalloonDevice): V86Counters {
  const counted = { notifications: 0, interrupts: 0 };
  const { io } = cpu;
  const write = io.port_write16;
  io.port_write16 = (port, value) => {
    if (port >= NOTIFY_PORT && port < NOTIFY_PORT + NOTIFY_PORTS) counted.notifications += 1;
    write.call(io, port, value);
  };
  const { virtio } = device;
  const raise = virtio.raise_irq;
  virtio.raise_irq = (cause) => {
    counted.interrupts += 1;
    raise.call(virtio, cause);
  };
  // A reset gives every page back to the guest, and v86 would go on counting them.
  const reset = virtio.reset;
  virtio.reset = () => {
    reset.call(virtio);
    device.actual = 0;
  };
  return counted;
}
