/** A second of each target of the fuzzer, and every input that once broke something. */
import { describe, expect, it } from "vitest";
import { fuzz, lacking } from "../fuzz/run.ts";
import { TARGET_NAMES, TARGETS } from "../fuzz/targets.ts";
import { addFigures } from "../support/add-figures.ts";
import { toolOrSkip } from "../support/tools.ts";
import { settingsFor } from "./settings.ts";

/** Those are compiled in no time, and there are more of them. */
const SCRIPT_SECONDS = 0.5;
const TIME_LIMIT = { timeout: 120_000 };
const { seed } = settingsFor("fuzz")(1);

describe("foreign bytes break nothing of", () => {
  for (const target of TARGET_NAMES)
    it(target, TIME_LIMIT, async (context) => {
      const why = lacking(target);
      toolOrSkip(context, why === undefined ? "clang" : undefined, why ?? "");
      const isScript = "script" in TARGETS[target];
      const seconds = isScript ? SCRIPT_SECONDS : 1;
      const { executions, crash } = await fuzz({ target, seconds, seed });
      expect(crash).toBeUndefined();
      addFigures({ executions });
      expect(executions).toBeGreaterThan(isScript ? 10 : 100);
    });
});
