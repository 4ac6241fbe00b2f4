/**
 * The style of this house, as tests: imports, circles, files, functions, public docs. A message
 * names the file and says what to do about it.
 *
 * One test file loads all rules, so that every source is read and parsed once.
 */
import { afterAll } from "vitest";
import { graphFigures } from "./tidy/import-graph.ts";
import { sizeFigures, sizeWarnings } from "./tidy/sizes.ts";
import "./tidy/dead-file-rules.ts";
import "./tidy/file-rules.ts";
import "./tidy/import-rules.ts";
import "./tidy/paper-rules.ts";
import "./tidy/public-rules.ts";

afterAll(() => {
  console.log([...sizeWarnings(), graphFigures(), sizeFigures()].join("\n"));
});
