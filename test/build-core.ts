/**
 * Builds build/core.wasm, and the example's guest program, before any test, so that no test ever
 * judges a stale core.
 *
 * Invariant: a module that does not compile fails the whole run.
 */
import { execFileSync } from "node:child_process";

export default function setup(): void {
  execFileSync("npm", ["run", "--silent", "build:core"], { stdio: ["ignore", "ignore", "inherit"] });
}
