/**
 * Tools that a test needs of the machine it runs on.
 *
 * Invariant: a tool that is missing skips the test with that reason, and fails it where CI is set:
 * there, everything must have been installed.
 */
import type { TestContext } from "vitest";

/** The tool's path. Skips the test, or fails it in CI, when there is none. */
export function toolOrSkip(context: TestContext, path: string | undefined, tool: string): string {
  if (path !== undefined) return path;
  const reason = `no ${tool} on this machine; npm run setup installs it`;
  if (process.env.CI) throw new Error(reason);
  console.log(`skipped: ${reason}`);
  return context.skip(reason);
}
