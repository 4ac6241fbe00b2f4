/**
 * Builds build/core.wasm, and the example's guest program, before any test that is newer than they
 * are, so that no test ever judges a stale core.
 *
 * A module that does not compile fails the whole run.
 */
import { execFileSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";

const SOURCES = ["assembly", "src/embed/example"];
const MODULES = ["build/core.wasm", "build/core-bytes.js", "build/example-guest.wasm"];

function changedMs(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function filesBelow(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return entries.map((entry) => `${folder}/${entry}`);
}

export default function setup(): void {
  const newest = Math.max(...["asconfig.json", ...SOURCES.flatMap(filesBelow)].map(changedMs));
  const oldest = Math.min(...MODULES.map(changedMs));
  if (oldest > newest) return;
  execFileSync("npm", ["run", "--silent", "build:core"], {
    stdio: ["ignore", "ignore", "inherit"],
  });
}
