/** Drivers led through scenarios in this process: good ones, other people's ways, and bad ones. */
import { describe, expect, it } from "vitest";
import { type ProfileName, profiles, type TransportKind } from "../../../src/device/index.ts";
import { FailureError } from "../../../src/failure.ts";
import {
  DriverJudged,
  type JudgeDriverOptions,
  type JudgeReport,
  judgeDriver,
  type StartDriver,
  scenarios,
} from "../../../src/judge/index.ts";
import { ballonet, MEMORY_BYTES } from "../../support/judged-driver.ts";

const TRANSPORTS: readonly TransportKind[] = [
  "modern",
  "transitional",
  "legacy",
  "mmio",
  "legacy-mmio",
];

const DEFAULTS = scenarios.filter(({ isDefault }) => isDefault).map(({ name }) => name);

/** The report, whether or not the driver passed. */
async function reportOf(options: JudgeDriverOptions): Promise<JudgeReport> {
  try {
    return await judgeDriver({ memoryBytes: MEMORY_BYTES, ...options });
  } catch (error) {
    if (error instanceof DriverJudged) return error.report;
    throw error;
  }
}

/** Each scenario's outcome and broken rules, for those that ran. */
function inShort({ results }: JudgeReport): Record<string, string> {
  const ran = results.filter(({ outcome }) => outcome !== null);
  return Object.fromEntries(
    ran.map(({ scenario, outcome, findings }) => [
      scenario,
      [outcome, ...findings.map(({ rule, count }) => `${rule} x${count}`)].join(" "),
    ]),
  );
}

describe("this project's driver", () => {
  it("is up after every scenario, and breaks no rule", async () => {
    const offer = { freePageHint: true, pageReporting: true, pagePoison: true };
    const report = await reportOf({ start: ballonet({ poison: 0xaa }), offer });
    expect(report.passed).toBe(true);
    const asked = ["rebind", "rebind-no-oom", "reload", "removal", "suspend"];
    const names = DEFAULTS.filter((name) => !asked.includes(name));
    expect(inShort(report)).toEqual(Object.fromEntries(names.map((name) => [name, "up"])));
    expect(report.results.map(({ scenario }) => scenario)).toEqual(DEFAULTS);
  });

  it.each(Object.keys(profiles) as ProfileName[])("passes on the profile %s", async (profile) => {
    const report = await reportOf({ start: ballonet(), profile, scenarios: ["start", "targets"] });
    expect(report.passed).toBe(true);
  });

  it.each(TRANSPORTS)("passes over %s", async (transport) => {
    const start = ballonet({}, transport);
    const report = await reportOf({ start, transport, scenarios: ["start", "targets"] });
    expect(inShort(report)).toEqual({ start: "up", targets: "up" });
  });

  it("does what each fault expects, and breaks no rule", async () => {
    const faults = scenarios.filter(({ name }) => name.startsWith("fault-"));
    const names = faults.map(({ name }) => name);
    const report = await reportOf({ start: ballonet(), scenarios: names });
    expect(report.results.filter(({ passed }) => !passed).map(({ scenario }) => scenario)).toEqual(
      [],
    );
  });

  it("takes every order of completion, and other hosts' devices", async () => {
    const names = scenarios
      .map(({ name }) => name)
      .filter((name) => /^(completion|profile)-/.test(name));
    const report = await reportOf({ start: ballonet(), scenarios: names });
    const ends = Object.fromEntries(names.map((name) => [name, "up"]));
    expect(inShort(report)).toEqual(ends);
    expect(names).toHaveLength(11);
  });

  it("is moved with its requests in flight, and what it breaks on both hosts is told", async () => {
    const start = ballonet({ persona: "linux" });
    const report = await reportOf({ start, scenarios: ["move"], hostDesign: "plain" });
    expect(inShort(report)).toEqual({ move: "up G-NOTIFY-EARLY x1" });
  });

  it("breaks as Linux the rules that Linux breaks", async () => {
    const chosen = ["start", "targets", "statistics"];
    const report = await reportOf({ start: ballonet({ persona: "linux" }), scenarios: chosen });
    expect(report.passed).toBe(false);
    expect(inShort(report)).toEqual({
      start: "up G-NOTIFY-EARLY x1 Q-ACTUAL-INIT x1",
      targets: "up G-NOTIFY-EARLY x1",
      statistics: "up G-NOTIFY-EARLY x1 Q-ACTUAL-INIT x2",
    });
  });
});

describe("a driver that does not stay up", () => {
  const bad: Record<string, { start: StartDriver; ends: string; note: RegExp }> = {
    "does nothing": {
      start: () => ({ step: () => undefined }),
      ends: "never came",
      note: /no driver wrote/,
    },
    "throws at its start": {
      start: () => {
        throw new TypeError("no such table");
      },
      ends: "crashed",
      note: /TypeError: no such table/,
    },
    "throws in a step": {
      start: () => ({
        step: () => {
          throw new RangeError("out of pages");
        },
      }),
      ends: "crashed",
      note: /RangeError: out of pages/,
    },
    "reads the device without end": {
      start: ({ hal }) => ({
        step: () => {
          for (;;) hal.portRead(0x60, 1);
        },
      }),
      ends: "hung",
      note: /500000 accesses in one call; no driver wrote .*; the device is on PCI \(modern\)$/,
    },
    "never waits": {
      start: ({ hal }) => ({
        step: () => {
          hal.now();
          return 0;
        },
      }),
      ends: "never came",
      note: /no driver wrote/,
    },
  };

  it.each(Object.entries(bad))("%s", async (_name, { start, ends, note }) => {
    const report = await reportOf({ start, scenarios: ["targets"] });
    expect(report.passed).toBe(false);
    expect(report.results[0]?.outcome).toBe(ends);
    expect(String(report.results[0]?.note)).toMatch(note);
  });

  it("but comes up in its first step, is left out of what the system cannot do", async () => {
    const start: StartDriver = ({ hal }) => {
      const write = (at: number, value: number) => hal.mmioWrite(0xfeb0_0e00 + at, 4, value);
      // DriverFeaturesSel, DriverFeatures: VERSION_1; and Status before and after.
      const bringUp = [
        ...[0, 1, 3].map((status) => [0x70, status] as const),
        ...([
          [0x24, 1],
          [0x20, 1],
          [0x70, 11],
          [0x70, 15],
        ] as const),
      ];
      const step = () => {
        for (const [at, value] of bringUp.splice(0)) write(at, value);
        return undefined;
      };
      return { step };
    };
    const chosen = ["pressure", "rebind"];
    const report = await reportOf({ start, transport: "mmio", scenarios: chosen });
    expect(report.results.map(({ outcome }) => outcome)).toEqual([null, null]);
  });

  it("fails where the system's own pages were changed, though it breaks no rule", async () => {
    const start: StartDriver = async (site) => {
      return { ...(await ballonet()(site)), dropPages: () => 3 };
    };
    const report = await reportOf({ start, scenarios: ["pressure"] });
    expect(report).toMatchObject({ passed: false });
    expect(report.results).toMatchObject([
      {
        outcome: "up",
        findings: [],
        passed: false,
        note: "3 used pages had other contents when they were freed",
      },
    ]);
  });

  it("is led through no further scenario when it never came", async () => {
    const report = await reportOf({ start: () => ({ step: () => undefined }) });
    expect(report.results).toHaveLength(1);
  });

  it("gives up where the device refuses its features, and its last steps are told", async () => {
    const start = ballonet();
    const report = await reportOf({ start, scenarios: ["fault-refuse-without-must-tell-host"] });
    expect(report.results[0]?.outcome).toBe("up");
    const endless = await reportOf({ start, scenarios: ["fault-reset-never-clears"] });
    expect(endless.results[0]?.outcome).toBe("gave up");
    expect(endless.results[0]?.lastSteps.join()).toContain("device_status");
  });
});

describe("judgeDriver", () => {
  it("throws with the report as its message", async () => {
    const options = { start: ballonet({ persona: "linux" }), memoryBytes: MEMORY_BYTES };
    const judged = judgeDriver({ ...options, scenarios: ["start"] });
    await expect(judged).rejects.toThrow(/G-NOTIFY-EARLY \(MUST NOT, 3\.1\.1\)/);
  });

  it("passes a driver whose breaches are waived", async () => {
    const options = { start: ballonet({ persona: "linux" }), memoryBytes: MEMORY_BYTES };
    const waive = ["G-NOTIFY-EARLY", "Q-ACTUAL-INIT"] as const;
    const report = await judgeDriver({ ...options, scenarios: ["start"], waive });
    expect(report.results[0]?.findings).toEqual([]);
  });

  it("refuses a scenario that does not exist, with the nearest one", async () => {
    const judged = judgeDriver({ start: ballonet(), scenarios: ["targest"] });
    await expect(judged).rejects.toThrow(FailureError);
    await expect(judged).rejects.toThrow(/did you mean targets\?/);
  });

  it("stops at its signal", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(judgeDriver({ start: ballonet(), signal })).rejects.toThrow("enough");
  });
});
