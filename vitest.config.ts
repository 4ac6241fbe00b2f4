import { defineConfig } from "vitest/config";
import { FiguresReporter } from "./test/support/figures-reporter.ts";
import { SupportReporter } from "./test/support-table/reporter.ts";

/** Milliseconds for one property; long runs need more, by BALLONET_RUNS. */
const propertyTimeout = Math.max(300_000, 500 * Number(process.env.BALLONET_RUNS ?? 0));

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
    // Most time goes by in emulators, of which each keeps one processor busy.
    maxWorkers: "100%",
    reporters: ["default", new SupportReporter(), new FiguresReporter()],
    projects: [
      project("unit", 20_000),
      project("property", propertyTimeout),
      project("conformance", 60_000),
      project("boot", 120_000, ["test/support/build-program.ts"]),
      project("kvm", 400_000),
    ],
  },
});
