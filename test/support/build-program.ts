/**
 * Builds the program `ballonet` before any test that runs it, where it is older than its sources.
 *
 * It is done once for all test files: two of them must not write dist/ while a third runs it. A
 * program that does not compile fails the whole run.
 */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export default function setup(): void {
  const script = fileURLToPath(new URL("../../.ci/build-stale.js", import.meta.url));
  execFileSync(process.execPath, [script], { stdio: ["ignore", "ignore", "inherit"] });
}
