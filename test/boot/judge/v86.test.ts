/**
 * The real guest in v86, with the reference device on its bus: what the judge says of it there is
 * what it says of the same driver in this process.
 */
import { beforeAll, expect, it } from "vitest";
import { PERSONA_NAMES, type PersonaName } from "../../../runtime/balloon/personas.ts";
import { buildImage } from "../../../src/image/build-image.ts";
import {
  type DeviceChoice,
  inProcess,
  inV86,
  type Platform,
  runScenario,
  type Scenario,
  scenarios,
} from "../../../src/judge/index.ts";
import { ballonet } from "../../support/judged-driver.ts";
import { BUILD_MS } from "../support/cli-program.ts";

const BYTES = 32 * 1024 * 1024;
const NAMES = ["targets", "statistics"];
const WASM_PAGE = 65536;

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

function here(persona: PersonaName, device: DeviceChoice): Platform {
  const { transport = "modern" } = device;
  const start = ballonet({ persona }, transport);
  const initial = BYTES / WASM_PAGE;
  return inProcess(() => ({ memory: new WebAssembly.Memory({ initial }), start }), device);
}

function there(persona: PersonaName, device: DeviceChoice): Platform {
  const append = `ballonet.persona=${persona}`;
  return inV86({ image, append, memoryBytes: BYTES, device });
}

it.each(PERSONA_NAMES.filter((name) => name !== "silent"))(
  "%s breaks the rules in v86 that it breaks in process",
  { timeout: 120_000 },
  async (persona) => {
    const expected = await judged(here(persona, {}));
    expect(await judged(there(persona, {}))).toEqual(expected);
  },
);

it.each(["transitional", "legacy"] as const)(
  "over %s PCI, by ports, nothing is broken",
  { timeout: 120_000 },
  async (transport) => {
    const told = await judged(there("ballonet", { transport }));
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
