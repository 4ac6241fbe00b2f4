/**
 * report-only: no inflation. Free memory goes back to the host by page reporting alone, which the
 * driver does by itself where PAGE_REPORTING is negotiated.
 *
 * Invariant: what is in the balloon already is given back only as the host lowers its target.
 */
import { type Policy, pagesBound } from "./policy.ts";

export function reportOnly(): Policy {
  return {
    name: "report-only",
    decide: (view) => ({
      goalPages: Math.min(view.targetPages, pagesBound(view)),
      atMostPages: Number.POSITIVE_INFINITY,
      deflateMode: view.deflateMode,
      short: false,
      lookAgainMs: undefined,
    }),
  };
}
