/**
 * Styles for lines of text, by name. A text has to say the same without them.
 */

/** What a terminal or a page can show. */
export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

/** Returns the text in a style, or as it is where there are no colours. */
export type Paint = (style: Style, text: string) => string;
