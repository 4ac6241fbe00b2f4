/**
 * The interrupt messages of a balloon whose device may be taken out and replaced.
 *
 * A driver numbers messages from 0 in the order in which it was given them, and so does whoever
 * hands them out and hears of them. Invariant: each device in turn is given the same ones, in the
 * same order, so the two numbers agree for all of them.
 */
import type { Hal, InterruptMessage } from "../../runtime/index.ts";

/** A Hal for one device after the other: all are `hal`, but for whose turn it is with messages. */
export function halForEach(hal: Hal): () => Hal {
  const { interrupts } = hal;
  if (interrupts === undefined) return () => hal;
  const held: InterruptMessage[] = [];
  return () => {
    let given = 0;
    return {
      portRead: (port, width) => hal.portRead(port, width),
      portWrite: (port, width, value) => hal.portWrite(port, width, value),
      mmioRead: (address, width) => hal.mmioRead(address, width),
      mmioWrite: (address, width, value) => hal.mmioWrite(address, width, value),
      now: () => hal.now(),
      log: (level, line) => hal.log(level, line),
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
