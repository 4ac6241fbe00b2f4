/** The policy `report-only`: no inflation. */
import { chase, type Policy, pagesBound } from "./policy.ts";

/**
 * Returns the policy `report-only`: it never inflates, and deflates as the host lowers its target.
 * Free memory goes back to the host by page reporting alone, which the driver does by itself where
 * PAGE_REPORTING is negotiated. Choose it where the guest must be able to use all of its memory at
 * any time, and the host has only to get back what happens to be free.
 */
export function reportOnly(): Policy {
  return {
    name: "report-only",
    decide: (view) => chase(Math.min(view.targetPages, pagesBound(view))),
  };
}
