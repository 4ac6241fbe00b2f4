/**
 * The guest program: what the boot code calls.
 *
 * It must not touch the machine while it is evaluated: that is done when the image is built.
 * Invariant: `boot` is called once, `wake` after every wait; each returns when to be woken next, in
 * milliseconds of the machine's clock.
 */
import { Guest } from "./guest.ts";
import { theMachine } from "./machine.ts";

let guest: Guest | undefined;

export function boot(): number {
  guest = new Guest(theMachine());
  return guest.start();
}

export function wake(lines: number): number {
  return guest?.wake(lines) ?? Number.POSITIVE_INFINITY;
}
