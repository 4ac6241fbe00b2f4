/**
 * The value that the guest fills its free memory with, if it does (virtio 1.3, 5.5.6.6).
 */
import { fill } from "./hal";

let poisoned: bool = false;
let poison: u32 = 0;

/** From now on frames are filled with `value` when they come back and before they are reported. */
export function setPoison(value: u32): void {
  poisoned = true;
  poison = value;
}

export function clearPoison(): void {
  poisoned = false;
}

/**
 * Fills frames that the host may have changed. They must be free: to touch a frame that was given
 * away would bring it back.
 */
export function initialise(first: u32, length: u32): void {
  if (poisoned) fill(first, length, poison);
}
