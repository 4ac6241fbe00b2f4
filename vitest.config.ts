import { defineConfig } from "vitest/config";

const project = (name: string, testTimeout: number, setups: readonly string[] = []) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`, ...(name === "unit" ? ["test/*.test.ts"] : [])],
    globalSetup: ["test/support/build-core.ts", ...setups],
    testTimeout,
  },
});

export default defineConfig({
  test: {
    projects: [
      project("unit", 20_000),
      project("property", 300_000),
      project("conformance", 60_000),
      project("boot", 120_000, ["test/support/build-program.ts"]),
    ],
  },
});
