/** How a device is reached, as `--transport` names it. */
import { FailureError } from "../../failure.ts";

/** On PCI by its interface, or MMIO of version 2. */
export const HOST_TRANSPORTS = ["modern", "transitional", "legacy", "mmio"] as const;

/** One of `HOST_TRANSPORTS`. */
export type HostTransport = (typeof HOST_TRANSPORTS)[number];

/** @throws FailureError `usage` for one that `where` has not. */
export function checkTransport(
  where: string,
  transport: HostTransport | undefined,
  has: readonly string[],
): void {
  if (transport === undefined || has.includes(transport)) return;
  const todo = `give one of ${has.join(", ")}`;
  throw new FailureError({ kind: "usage", what: `a transport of ${where}`, seen: transport, todo });
}
