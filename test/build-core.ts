/**
 * Builds build/core.wasm before any test, so that no test ever judges a stale core.
 *
 * Invariant: a core that does not compile fails the whole run.
 */
import { execFileSync } from "node:child_process";

export default function setup(): void {
  execFileSync("npx", ["asc", "assembly/index.ts", "--target", "release"], {
    stdio: ["ignore", "ignore", "inherit"],
  });
}
