/** A second of each target of the fuzzer, and every input that once broke something. */
import { describe, expect, it } from "vitest";
import { fuzz, lacking } from "../fuzz/run.ts";
import { TARGET_NAMES } from "../fuzz/targets.ts";
import { toolOrSkip } from "../support/tools.ts";
import { settingsFor } from "./settings.ts";

const TIME_LIMIT = { timeout: 120_000 };
const why = lacking();
const { seed } = settingsFor("fuzz")(1);

describe("foreign bytes break nothing of", () => {
  for (const target of TARGET_NAMES)
    it(target, TIME_LIMIT, async (context) => {
      toolOrSkip(context, why === undefined ? "clang" : undefined, why ?? "");
      const { executions, crash } = await fuzz({ target, seconds: 1, seed });
      expect(crash).toBeUndefined();
      expect(executions).toBeGreaterThan(100);
    });
});
