/** How a behaviour ends that does not hold, or cannot be seen. */

/** A host did otherwise. */
export class Missed extends Error {}

/** It cannot be seen here. */
export class LeftOut extends Error {}

/** @throws Missed unless it is so; `seen` tells what was seen instead. */
export function expect(isSo: boolean, seen: string): void {
  if (!isSo) throw new Missed(seen);
}
