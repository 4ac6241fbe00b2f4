/**
 * Who is told when: the ways to take a page back, and when each is legal.
 *
 * It must not know how pages move. Invariant: behaviour follows the features negotiated at
 * bring-up; a mode that they forbid is a configuration error, never silently another mode.
 */
import { BallonetError } from "../errors.ts";
import { type FeatureSet, hasFeature } from "../virtio/features.ts";
import { BALLOON_FEATURE, EXPERIMENTAL_FEATURE } from "./constants.ts";

/**
 * - `tell-first`: deflate posted, acknowledged, then the page is used.
 * - `use-first`: the page is used at once, the deflate is posted in the next burst (allowed without
 *   MUST_TELL_HOST, virtio 1.3, 5.5.6.1).
 * - `tell-if-must`: the first of these where the host must be told, else the second.
 * - `silent`: never told; `actual` alone changes. The specification forbids it: an instrument for
 *   testing hosts.
 */
export const DEFLATE_MODES = ["tell-first", "use-first", "tell-if-must", "silent"] as const;

export type DeflateMode = (typeof DEFLATE_MODES)[number];

/** What a mode comes to, once the features are settled. */
export type DeflateOrder = Exclude<DeflateMode, "tell-if-must">;

/**
 * `two-bit` is an experiment: a driver that will tell first accepts WILL_TELL_HOST, and one that
 * wants to be silent has to be granted SILENT_DEFLATE.
 */
export const DIALECTS = ["standard", "two-bit"] as const;

export type Dialect = (typeof DIALECTS)[number];

/** The bits by which a driver of this dialect says what it is going to do. */
export function promises(dialect: Dialect, mode: DeflateMode): readonly number[] {
  if (dialect === "standard" || mode === "use-first") return [];
  const { WILL_TELL_HOST, SILENT_DEFLATE } = EXPERIMENTAL_FEATURE;
  return [mode === "silent" ? SILENT_DEFLATE : WILL_TELL_HOST];
}

/** @throws BallonetError `config` when there is no such mode. */
export function checkDeflateMode(mode: DeflateMode): void {
  if (DEFLATE_MODES.includes(mode)) return;
  throw new BallonetError({
    code: "config",
    what: "deflate mode",
    seen: `"${String(mode)}"`,
    todo: `choose one of ${DEFLATE_MODES.join(", ")}`,
  });
}

/**
 * What a mode means under these features.
 * @throws BallonetError `config` when they forbid it.
 */
export function deflateOrder(
  mode: DeflateMode,
  negotiated: FeatureSet,
  dialect: Dialect,
): DeflateOrder {
  checkDeflateMode(mode);
  const told = [BALLOON_FEATURE.MUST_TELL_HOST, EXPERIMENTAL_FEATURE.WILL_TELL_HOST];
  const mustTell = told.some((bit) => hasFeature(negotiated, bit));
  if (mode === "tell-if-must") return mustTell ? "tell-first" : "use-first";
  if (mode !== "tell-first" && mustTell) {
    throw forbidden(
      mode,
      "MUST_TELL_HOST negotiated, which allows only tell-first (virtio 1.3, 5.5.6.1)",
      "choose tell-first, or decline MUST_TELL_HOST in the driver's settings",
    );
  }
  const granted = hasFeature(negotiated, EXPERIMENTAL_FEATURE.SILENT_DEFLATE);
  if (mode === "silent" && dialect === "two-bit" && !granted) {
    throw forbidden(
      mode,
      "SILENT_DEFLATE not negotiated, which this dialect asks for",
      "choose use-first, which needs no permission, or a host that grants it",
    );
  }
  return mode;
}

function forbidden(mode: DeflateMode, seen: string, todo: string): BallonetError {
  return new BallonetError({ code: "config", what: `deflate mode "${mode}"`, seen, todo });
}
