/** What a machine with the reference device can be, whoever runs it. */
import { FailureError } from "../failure.ts";

const MIB = 2 ** 20;
/** Above, a PC has a hole in its memory, and the file would not begin at address 0. */
const MEMORY_BYTES_MAX = 2048 * MIB;
const MEMORY_BYTES_MIN = 64 * MIB;

/** @throws FailureError `usage` for a transport without PCI, and for too much or little memory. */
export function expectMachine(transport: string, memoryBytes: number): void {
  if (transport.includes("mmio")) {
    throw new FailureError({
      kind: "usage",
      what: "transport",
      seen: `${transport}, in a machine`,
      todo: "choose modern, transitional or legacy: the device is a PCI function there",
    });
  }
  if (memoryBytes >= MEMORY_BYTES_MIN && memoryBytes <= MEMORY_BYTES_MAX) return;
  throw new FailureError({
    kind: "usage",
    what: "memory",
    seen: `${memoryBytes / MIB} MiB`,
    todo: `give ${MEMORY_BYTES_MIN / MIB}M to ${MEMORY_BYTES_MAX / MIB}M`,
  });
}
