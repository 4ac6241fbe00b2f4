/**
 * The driver of the real guest, as other drivers behave and with mistakes in it, on the reference
 * device in QEMU and in v86: what the judge says of it there is what it says of the same driver in
 * this process.
 */
import { afterAll, beforeAll, describe, expect, it, type TestContext } from "vitest";
import { buildImage } from "../../../src/image/build-image.ts";
import {
  type DeviceChoice,
  inProcess,
  inQemu,
  inV86,
  type Platform,
  runScenario,
  type Scenario,
  scenarios,
} from "../../../src/judge/index.ts";
import { mutants } from "../../conformance/mutants/all.ts";
import type { Mutant } from "../../conformance/mutants/mutant.ts";
import { ballonet, type DriverBuild, patchedDriver } from "../../support/judged-driver.ts";
import { qemu11OrSkip } from "../../support/tools.ts";
import { BUILD_MS } from "../support/cli-program.ts";
import { PatchedImages } from "../support/patched-image.ts";
import { BEHAVED, type Behaved, BROKEN } from "./drivers.ts";

const BYTES = 32 * 1024 * 1024;
const WASM_PAGE = 65536;
const RUN_MS = 240_000;

let patched: PatchedImages | undefined;
let image = "";
beforeAll(async () => {
  image = (await buildImage({ arch: "i386" })).path;
  patched = await PatchedImages.open();
}, BUILD_MS);
afterAll(() => patched?.close());

interface Run {
  readonly settings?: Behaved["settings"] | undefined;
  readonly device: DeviceChoice;
  readonly scenario: string;
}

/** The rules that are broken in a run, and how a driver that ends well is. */
async function told(platform: Platform, { scenario }: Run): Promise<readonly string[]> {
  const chosen = scenarios.find(({ name }) => name === scenario) as Scenario;
  const { outcome, findings } = await runScenario(platform, chosen);
  const rules = findings.map(({ rule }) => rule).sort();
  return outcome === "up" ? ["up", ...rules] : rules;
}

function here({ settings = {}, device }: Run, build?: DriverBuild): Platform {
  const start = ballonet(settings, device.transport ?? "modern", build);
  const initial = BYTES / WASM_PAGE;
  return inProcess(() => ({ memory: new WebAssembly.Memory({ initial }), start }), device);
}

/** The platform that boots an image, by its name. */
function booting(context: TestContext, { settings = {}, device }: Run, image: string) {
  const parts = { image, append: commandLine(settings), memoryBytes: BYTES, device };
  return {
    v86: () => inV86(parts),
    qemu: () => inQemu({ ...parts, qemu: qemu11OrSkip(context), machine: "pc" }),
  };
}

/** The words of the command line that mean the same as these settings. */
function commandLine({ persona, deflateMode }: NonNullable<Behaved["settings"]>): string {
  const words = { persona, deflate: deflateMode };
  return Object.entries(words)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `ballonet.${name}=${value}`)
    .join(" ");
}

const HOSTS = ["v86", "qemu"] as const;

/** `npm run test:long` runs everything. */
const IS_LONG = Number(process.env.BALLONET_RUNS ?? 0) >= 1000;

/** What each emulator leads a driver through. */
const BOTH = ["targets", "statistics"];
const LED = IS_LONG ? { v86: BOTH, qemu: BOTH } : { v86: ["targets"], qemu: ["statistics"] };

describe("in QEMU and in v86 the judge says what it says in process of the driver", () => {
  it.for(BEHAVED)("$name", { timeout: RUN_MS }, async ({ settings, device = {} }, context) => {
    for (const host of HOSTS) {
      for (const scenario of LED[host]) {
        const run = { settings, device, scenario };
        const expected = await told(here(run), run);
        expect(await told(booting(context, run, image)[host](), run), host).toEqual(expected);
      }
    }
  });
});

/** A mutant costs seven seconds, so that most runs take every third. */
const EVERY = IS_LONG ? 1 : 3;
const SAMPLE = BROKEN.filter((_, index) => index % EVERY === 0);

describe("in QEMU and in v86 the judge says what it says in process of a driver that", () => {
  it.for(SAMPLE)("$mutant", { timeout: RUN_MS }, async (row, context) => {
    const { scenario = "targets", device = {}, unseen = {} } = row;
    const mutant = mutants.find(({ id }) => id === row.mutant) as Mutant;
    const build = await patchedDriver([mutant, ...(mutant.and ?? [])]);
    const run = { device, scenario };
    const expected = await told(here(run, build), run);
    expect(expected).toContain(mutant.breaks);
    const platforms = booting(context, run, (await patched?.build(mutant.breaks, build)) ?? "");
    for (const host of HOSTS) {
      const seen = expected.filter((rule) => unseen[host]?.[rule] === undefined);
      expect(await told(platforms[host](), run), host).toEqual(seen);
    }
  });
});
