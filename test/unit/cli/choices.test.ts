/**
 * Every value that the help lists is taken, or refused at once with the reason.
 */
import { describe, expect, it } from "vitest";
import { COMMANDS, main } from "../../../src/cli/cli.ts";
import * as boot from "../../../src/cli/commands/boot.ts";
import * as compare from "../../../src/cli/commands/compare.ts";
import { type OptionSpec, parseOptions } from "../../../src/cli/options.ts";
import { FailureError } from "../../../src/failure.ts";
import { planSession } from "../../../src/session/plan.ts";
import { keptIo } from "./outputs.ts";

/** The values of the default machine, v86, that cannot go well there, and why. */
const REFUSED: Readonly<Record<string, string>> = {
  "--arch x86_64": "v86 has no 64-bit mode",
  "--machine pc": "boot on qemu",
  "--machine q35": "boot on qemu",
  "--machine microvm": "boot on qemu",
  "--persona silent": "its balloon would never shrink",
  "--policy report-only": "v86's balloon has no page reporting",
  "--deflate silent": "its balloon would never shrink",
};

function values(options: readonly OptionSpec[]): [string, string][] {
  return options.flatMap(({ name, choices = [] }) =>
    choices.map((value): [string, string] => [`--${name}`, value]),
  );
}

/** What becomes of options: "planned", or the reason of the refusal. */
function planned(...args: string[]): string {
  const given = parseOptions({ command: "ballonet boot", specs: boot.spec.options, args });
  try {
    planSession(boot.sessionOptions(given));
    return "planned";
  } catch (error) {
    if (error instanceof FailureError && error.kind === "usage") return error.todo;
    throw error;
  }
}

describe("boot", () => {
  it.each(values(boot.spec.options))("%s %s, on the default machine", (option, value) => {
    const reason = REFUSED[`${option} ${value}`];
    if (reason === undefined) expect(planned(option, value)).toBe("planned");
    else expect(planned(option, value)).toContain(reason);
  });

  it.each(values(boot.spec.options).filter(([option]) => option !== "--on"))(
    "%s %s, on QEMU",
    (option, value) => {
      expect(planned("--on", "qemu", option, value)).toBe("planned");
    },
  );

  it("lists no value that is refused and no longer there", () => {
    const listed = values(boot.spec.options).map(([option, value]) => `${option} ${value}`);
    expect(listed).toEqual(expect.arrayContaining(Object.keys(REFUSED)));
  });

  it("looks at the words that the guest will take, wherever they come from", () => {
    const word = "ballonet.policy=report-only";
    expect(planned("--append", word)).toContain("no page reporting");
    expect(planned("--append", `${word} ballonet.policy=follow`)).toBe("planned");
    expect(planned("--persona", "silent", "--deflate", "tell-first")).toBe("planned");
  });

  it.each([
    [["--device", "packed=on"], "v86's device has none"],
    [["--qemu", "/q"], "boot on qemu"],
    [["--on", "qemu", "--no-balloon", "--device", "packed=on"], "leave one of both out"],
  ])("%j is refused", (args, reason) => {
    expect(planned(...args)).toContain(reason);
  });

  it.each([
    [["--device", "free-page-reporting=off"], "leave that option out"],
    [["--target", "0"], "leave targets out"],
    [["--workload", "0"], "give one"],
  ])("--policy report-only with %j is refused", (args, reason) => {
    expect(planned("--on", "qemu", "--policy", "report-only", ...args)).toContain(reason);
  });
});

describe("compare deflate", () => {
  it.each(values(compare.spec.options))("%s %s", { timeout: 60_000 }, async (option, value) => {
    const io = keptIo();
    const few = option === "--persona" ? ["--host", "locked"] : ["--persona", "linux"];
    const args = ["compare", "deflate", option, value, ...few, "--json"];
    expect(await main({ args, io })).toBe(0);
    expect(JSON.parse(io.out.text).cells).not.toEqual([]);
  });
});

/** Tried over all values in test/unit/judge, where drivers are; `run` boots as `boot` does. */
const OF_JUDGE = [
  "--profile",
  "--transport",
  "--scenario",
  "--waive",
  "--on",
  "--machine",
  "--report",
];

it("no other command has values that are not tried here", () => {
  const others = COMMANDS.filter(({ spec }) => !["boot", "compare"].includes(spec.name));
  const listed = others.flatMap(({ spec }) => values(spec.options).map(([option]) => option));
  expect(new Set(listed)).toEqual(new Set(["--arch", "--format", "--policy", ...OF_JUDGE]));
});
