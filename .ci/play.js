/** Writes build/play/: the page of `ballonet play` as static files, for any web server and for none. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { pageFiles, withOffline } from "../dist/src/play/index.js";

const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), "build", "play");
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
for (const [name, contents] of await withOffline(await pageFiles())) {
  writeFileSync(join(folder, name), contents);
}
