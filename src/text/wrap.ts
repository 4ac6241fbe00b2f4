/**
 * Paragraphs into lines.
 *
 * Invariant: no word is lost or cut, and a line is longer than asked for only when its one word is.
 */

/** Fits a terminal of a hundred columns, and a page. */
export const TEXT_COLUMNS = 98;

export function wrapped(text: string, columns = TEXT_COLUMNS): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
