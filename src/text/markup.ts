/**
 * Text and numbers for HTML and SVG.
 */

/** Returns `text` as HTML; it is safe between tags and in a quoted attribute. */
export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

/** A coordinate, to a tenth of a pixel: nobody sees less. */
export function coordinate(value: number): string {
  return value.toFixed(1).replace(/\.0$/, "");
}
