/**
 * What frames are filled with when they change hands: the guest's poison (virtio 1.3, 5.5.6.6), or
 * zeros, so that neither side sees what the other has left in them.
 */
import { fill } from "./hal";

let poisoned: bool = false;
let poison: u32 = 0;
let scrubsGiven: bool = false;
let scrubsReturned: bool = false;

/** From now on frames are filled with `value` when they come back and before they are reported. */
export function setPoison(value: u32): void {
  poisoned = true;
  poison = value;
}

export function clearPoison(): void {
  poisoned = false;
  poison = 0;
}

/** Whether frames are filled also without a poison: before the host gets them, and after it had. */
export function setScrub(given: bool, returned: bool): void {
  scrubsGiven = given;
  scrubsReturned = returned;
}

/**
 * Fills frames that the host may have changed. They must be free: to touch a frame that was given
 * away would bring it back.
 */
export function initialise(first: u32, length: u32): void {
  if (poisoned || scrubsReturned) fill(first, length, poison);
}

/** Fills frames that the host says it has initialised. Elsewhere its word is enough. */
export function initialiseAgain(first: u32, length: u32): void {
  if (scrubsReturned) fill(first, length, poison);
}

/** Fills frames that the host is about to get, while they are free. */
export function scrub(first: u32, length: u32): void {
  if (scrubsGiven) fill(first, length, poison);
}

/** The same for frames to be reported: a device may rely on their poison (virtio 1.3, 5.5.6.7). */
export function initialiseReport(first: u32, length: u32): void {
  if (poisoned || scrubsGiven) fill(first, length, poison);
}
