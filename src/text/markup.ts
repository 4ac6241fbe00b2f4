/**
 * Text into HTML and SVG.
 *
 * Invariant: what comes out of `escaped` is text in every place where text or an attribute's value
 * may stand.
 */

export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

/** Coordinates: a tenth of a pixel is more than anybody sees. */
export function coordinate(value: number): string {
  return value.toFixed(1).replace(/\.0$/, "");
}
