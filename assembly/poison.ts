/**
 * What the guest's free memory is filled with, where it is (virtio 1.3, 5.5.6.6).
 *
 * It must not know where frames come from. Invariant: frames are filled only while they are the
 * guest's, for to touch a page that was given away would bring it back.
 */
import { fill } from "./hal";

let poisoned: bool = false;
let poison: u32 = 0;

/** From now on frames are filled with `value` when they come back, and before they are reported. */
export function setPoison(value: u32): void {
  poisoned = true;
  poison = value;
}

export function clearPoison(): void {
  poisoned = false;
}

/** What has to be done to frames that the host may have changed. */
export function initialise(first: u32, length: u32): void {
  if (poisoned) fill(first, length, poison);
}
