/**
 * Removes what `npm run build` makes, so that nothing of files that are gone is published.
 */
import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const products = [
  "dist",
  "lib",
  "build/core.wasm",
  "build/core-bytes.js",
  "build/images",
  "build/play",
];
for (const product of products) rmSync(join(root, product), { recursive: true, force: true });
