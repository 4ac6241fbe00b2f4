/**
 * The guest program: what the boot code calls. `boot` is called once, `wake` after every wait; each
 * returns when to call `wake` next, in milliseconds of the machine's clock.
 *
 * The module is evaluated when the image is built, so only these functions may use the machine.
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
