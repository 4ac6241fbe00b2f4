/** Leads from places in the bundled script to lines of the program's sources. */
import { SourceMap } from "node:module";
import { SCRIPT_NAME } from "./bundle-program.ts";

/**
 * Returns a function that replaces each `program.js:LINE:COLUMN` in a text by the place in the
 * source that it was made of; `map` is the source map as JSON.
 */
export function sourceLines(map: string): (text: string) => string {
  const places = new SourceMap(JSON.parse(map));
  const pattern = new RegExp(`${SCRIPT_NAME.replace(".", "\\.")}:(\\d+):(\\d+)`, "g");
  return (text) =>
    text.replace(pattern, (whole, line: string, column: string) => {
      const found = places.findEntry(Number(line) - 1, Number(column) - 1);
      if (!("originalSource" in found)) return whole;
      return `${found.originalSource}:${found.originalLine + 1}:${found.originalColumn + 1}`;
    });
}
