/**
 * Removes what `npm run build` makes, so that nothing of files that are gone is published, or with
 * `core` what `build:core` makes: a compiler that wrote into its old files would change every copy
 * that a checkout shares them with.
 */
import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const core = [
  "build/core.wasm",
  "build/core.wat",
  "build/core-bytes.js",
  "build/example-guest.wasm",
];
const all = ["dist", "lib", ...core, "build/images", "build/play"];
const products = process.argv[2] === "core" ? core : all;
for (const product of products) rmSync(join(root, product), { recursive: true, force: true });
