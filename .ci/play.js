/** Writes build/play/: the page of `ballonet play` as static files, for any web server. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { pageFiles } from "../dist/src/play/index.js";

const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), "build", "play");
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
for (const [name, contents] of await pageFiles()) writeFileSync(join(folder, name), contents);
