/**
 * Breaks paragraphs into lines.
 */

/** The width of the reports: their tables need it. */
export const TEXT_COLUMNS = 98;

/** Returns the text in lines of at most `columns`; only a single longer word makes one longer. */
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
