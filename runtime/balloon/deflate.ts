/**
 * Who is told when: the three ways to take a page back, and when each is legal.
 *
 * It must not know how pages move. Invariant: behaviour follows the features negotiated at
 * bring-up; a mode that they forbid is a configuration error, never silently another mode.
 */
import { BallonetError } from "../errors.ts";

/**
 * - `tell-first`: deflate posted, acknowledged, then the page is used.
 * - `use-first`: the page is used at once, the deflate is posted in the next burst (allowed without
 *   MUST_TELL_HOST, virtio 1.3, 5.5.6.1).
 * - `silent`: never told; `actual` alone changes. The specification forbids it: an instrument for
 *   testing hosts.
 */
export const DEFLATE_MODES = ["tell-first", "use-first", "silent"] as const;

export type DeflateMode = (typeof DEFLATE_MODES)[number];

/** @throws BallonetError `config` when the negotiated features forbid the mode. */
export function checkDeflateMode(mode: DeflateMode, mustTellHost: boolean): void {
  if (!DEFLATE_MODES.includes(mode)) {
    throw new BallonetError({
      code: "config",
      what: "deflate mode",
      seen: `"${String(mode)}"`,
      todo: `choose one of ${DEFLATE_MODES.join(", ")}`,
    });
  }
  if (mode === "tell-first" || !mustTellHost) return;
  throw new BallonetError({
    code: "config",
    what: `deflate mode "${mode}"`,
    seen: "MUST_TELL_HOST negotiated, which allows only tell-first (virtio 1.3, 5.5.6.1)",
    todo: "choose tell-first, or decline MUST_TELL_HOST in the driver's settings",
  });
}
