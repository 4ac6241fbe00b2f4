/** Hals that pass every access on to another Hal. */
import type { Hal, InterruptMessage } from "../../runtime/index.ts";

/** Returns a Hal whose every access goes to the Hal that `current` returns at that time. */
export function forwardHal(current: () => Hal): Hal {
  // `Required`: a member that is added to Hal, even an optional one, does not compile until it is
  // forwarded here.
  const members: Required<Omit<Hal, "interrupts">> = {
    portRead: (port, width) => current().portRead(port, width),
    portWrite: (port, width, value) => current().portWrite(port, width, value),
    mmioRead: (address, width) => current().mmioRead(address, width),
    mmioWrite: (address, width, value) => current().mmioWrite(address, width, value),
    now: () => current().now(),
    log: (level, line) => current().log(level, line),
  };
  if (current().interrupts === undefined) return members;
  return { ...members, interrupts: { allocate: (count) => current().interrupts?.allocate(count) } };
}

/**
 * Wraps `hal` for devices that replace one another: each call returns a Hal for the next device,
 * which re-uses the interrupt messages of the one before it. They come in the same order each time,
 * so a message has the same number for every device, and for the owner of `hal`.
 */
export function reuseMessages(hal: Hal): () => Hal {
  const { interrupts } = hal;
  if (interrupts === undefined) return () => hal;
  const held: InterruptMessage[] = [];
  return () => {
    let given = 0;
    return {
      ...forwardHal(() => hal),
      interrupts: {
        allocate: (count) => {
          const missing = given + count - held.length;
          const more = missing > 0 ? interrupts.allocate(missing) : [];
          if (more === undefined) return undefined;
          held.push(...more);
          given += count;
          return held.slice(given - count, given);
        },
      },
    };
  };
}
