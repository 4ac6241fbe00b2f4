/** The real guest in v86, with the reference device on its bus: transports, and its end. */
import { beforeAll, expect, it } from "vitest";
import { buildImage } from "../../../src/image/build-image.ts";
import {
  type DeviceChoice,
  inV86,
  type Platform,
  runScenario,
  type Scenario,
  scenarios,
} from "../../../src/judge/index.ts";
import { BUILD_MS } from "../support/cli-program.ts";

const BYTES = 32 * 1024 * 1024;
const NAMES = ["targets", "statistics"];

let image = "";
beforeAll(async () => {
  image = (await buildImage({ arch: "i386" })).path;
}, BUILD_MS);

/** Each scenario's outcome and the rules that were broken in it. */
async function judged(platform: Platform, names = NAMES): Promise<readonly string[]> {
  const told: string[] = [];
  for (const name of names) {
    const scenario = scenarios.find((one) => one.name === name) as Scenario;
    const { outcome, findings } = await runScenario(platform, scenario);
    told.push(`${name}: ${[outcome, ...findings.map(({ rule }) => rule).sort()].join(" ")}`);
  }
  return told;
}

function there(device: DeviceChoice): Platform {
  return inV86({ image, memoryBytes: BYTES, device });
}

it.each(["transitional", "legacy"] as const)(
  "over %s PCI, by ports, nothing is broken",
  { timeout: 120_000 },
  async (transport) => {
    const told = await judged(there({ transport }));
    expect(told).toEqual(NAMES.map((name) => `${name}: up`));
  },
);

it("a guest that ends has crashed, and its last words are told", async () => {
  const append = "ballonet.policy=nonsense";
  const platform = inV86({ image, append, memoryBytes: BYTES, device: {} });
  const { outcome, note, passed } = await runScenario(platform, scenarios[0] as Scenario);
  expect({ outcome, passed }).toEqual({ outcome: "crashed", passed: false });
  expect(note).toContain("nonsense");
});
