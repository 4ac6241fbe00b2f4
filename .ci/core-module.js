/**
 * Writes build/core.wasm once more, as a JavaScript module that bundlers and browsers load as it is.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const build = join(dirname(dirname(fileURLToPath(import.meta.url))), "build");
const core = readFileSync(join(build, "core.wasm")).toString("base64");
writeFileSync(
  join(build, "core-bytes.js"),
  `/** core.wasm, in base64. */\nexport const CORE_BASE64 =\n  "${core}";\n`,
);
