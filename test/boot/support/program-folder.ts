/** A folder for programs of the tests of one file, from which they can import this package. */
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { packageFolder } from "../../../src/package.ts";

/** Makes it before the file's tests, and removes it after them. Returns the path of a file in it. */
export function useProgramFolder(): (name: string) => string {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "program-test-"));
    await symlink(join(packageFolder(), "node_modules"), join(folder, "node_modules"));
  });
  afterAll(() => rm(folder, { recursive: true }));
  return (name) => join(folder, name);
}
