/**
 * Styles for lines of text, by name.
 *
 * It must not know what a terminal does with them. Invariant: a text says the same without them.
 */

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

/** Applies a style where there are colours. */
export type Paint = (style: Style, text: string) => string;
