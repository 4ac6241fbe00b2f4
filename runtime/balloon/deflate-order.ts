/**
 * The ways to take a page back: who is told when, and when each is legal.
 *
 * A mode that the negotiated features forbid is a configuration error, never silently another mode.
 */
import { configError } from "../errors.ts";
import { type FeatureSet, hasFeature } from "../virtio/features.ts";
import { BALLOON_FEATURE, EXPERIMENTAL_FEATURE } from "./constants.ts";

/** In which order a page is taken back and its host is told. */
export type DeflateMode = (typeof DEFLATE_MODES)[number];

/**
 * - `tell-first`: deflate posted, acknowledged, then the page is used.
 * - `use-first`: the page is used at once, the deflate is posted in the next burst (allowed without
 *   MUST_TELL_HOST, virtio 1.3, 5.5.6.1).
 * - `tell-if-must`: `tell-first` where MUST_TELL_HOST is negotiated, else `use-first`.
 * - `silent`: never told; `actual` alone changes. The specification forbids it: an instrument for
 *   testing hosts.
 */
export const DEFLATE_MODES = ["tell-first", "use-first", "tell-if-must", "silent"] as const;

/** What a mode comes to, once the features are settled. */
export type DeflateOrder = Exclude<DeflateMode, "tell-if-must">;

/**
 * `standard` is the specification's MUST_TELL_HOST. `two-bit` is an experiment: a driver that will
 * tell first accepts WILL_TELL_HOST, and one that wants to be silent has to be granted
 * SILENT_DEFLATE.
 */
export const DIALECTS = ["standard", "two-bit"] as const;

/** By which feature bits a driver and its host agree on the deflate mode. */
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
  throw configError(
    "deflate mode",
    `"${String(mode)}"`,
    `choose one of ${DEFLATE_MODES.join(", ")}`,
  );
}

/**
 * Checks a mode against the features that were agreed on.
 * @throws BallonetError `config` when they forbid it, or when there is no such mode.
 */
export function checkDeflateAllowed(
  mode: DeflateMode,
  negotiated: FeatureSet,
  dialect: Dialect,
): void {
  checkDeflateMode(mode);
  const what = `deflate mode "${mode}"`;
  const isLate = mode === "use-first" || mode === "silent";
  if (isLate && mustTell(negotiated)) {
    throw configError(
      what,
      "MUST_TELL_HOST negotiated, which allows only tell-first (virtio 1.3, 5.5.6.1)",
      "choose tell-first, or decline MUST_TELL_HOST in the driver's settings",
    );
  }
  const granted = hasFeature(negotiated, EXPERIMENTAL_FEATURE.SILENT_DEFLATE);
  if (mode === "silent" && dialect === "two-bit" && !granted) {
    throw configError(
      what,
      "SILENT_DEFLATE not negotiated, which this dialect asks for",
      "choose use-first, which needs no permission, or a host that grants it",
    );
  }
}

/**
 * Returns what a mode means under these features.
 * @throws BallonetError `config` when they forbid it.
 */
export function deflateOrder(
  mode: DeflateMode,
  negotiated: FeatureSet,
  dialect: Dialect,
): DeflateOrder {
  checkDeflateAllowed(mode, negotiated, dialect);
  if (mode !== "tell-if-must") return mode;
  return mustTell(negotiated) ? "tell-first" : "use-first";
}

function mustTell(negotiated: FeatureSet): boolean {
  const bits = [BALLOON_FEATURE.MUST_TELL_HOST, EXPERIMENTAL_FEATURE.WILL_TELL_HOST];
  return bits.some((bit) => hasFeature(negotiated, bit));
}
