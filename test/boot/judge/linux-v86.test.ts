/**
 * An unmodified Linux for i386 in v86, from one state saved after its boot: what its driver breaks
 * there in some scenarios of each kind, and that a page judges it, too.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { build } from "esbuild";
import { afterAll, expect, it, type TestContext } from "vitest";
import {
  type LinuxPlatform,
  linuxImage,
  runScenario,
  type Scenario,
  scenarios,
} from "../../../src/judge/index.ts";
import { type PageFiles, toldBy } from "../support/chromium.ts";
import { linuxOf, MEMORY_BYTES, partsOfLinux } from "./linux-in-v86.ts";
import { expectOutcomes, IN_V86 } from "./linux-outcomes.ts";

const BOOT_MS = 240_000;

const NAMES = [
  ...["start", "targets", "reversed", "statistics", "hints", "hints-pressure", "pressure"],
  ...["rebind", "reload", "move", "needs-reset"],
  ...["completion-late", "completion-shuffled", "completion-never"],
  ...["fault-used-id-out-of-range", "fault-used-idx-jump", "fault-used-unseen"],
  ...["fault-refuse-features", "fault-hint-id-stale", "fault-gone"],
  ...["profile-firecracker", "profile-libkrun"],
];

let booted: Promise<LinuxPlatform> | undefined;
function platform(context: TestContext): Promise<LinuxPlatform> {
  booted ??= linuxOf(context);
  return booted;
}
afterAll(async () => (await booted?.catch(() => undefined))?.end());

it("is judged in scenarios of each kind", { timeout: BOOT_MS }, async (context) => {
  const linux = await platform(context);
  const results = [];
  for (const name of NAMES) {
    const scenario = scenarios.find((one) => one.name === name) as Scenario;
    results.push(await runScenario(linux, scenario, context.signal));
  }
  expectOutcomes(results, IN_V86);
});

/** v86 holds code for Node that no bundler for pages resolves: it stays a file of its own. */
const PAGE = `<!doctype html>
<script type="importmap">{ "imports": { "v86": "/libv86.mjs" } }</script>
<script type="module" src="page.js?memory=${MEMORY_BYTES}"></script>`;

it("is judged in a page, where its image is put together, too", {
  timeout: BOOT_MS,
}, async (context) => {
  const parts = await partsOfLinux(context);
  const state = await (await platform(context)).save(context);
  const bundle = await build({
    entryPoints: ["test/browser/judge-linux-page.ts"],
    ...{ bundle: true, write: false, format: "esm", platform: "browser", external: ["v86"] },
  });
  expect(bundle.warnings).toEqual([]);
  const binary = (bytes: Uint8Array) => ["application/octet-stream", bytes] as const;
  const script = ["text/javascript", bundle.outputFiles[0]?.text ?? ""] as const;
  const files: PageFiles = {
    "/": ["text/html", PAGE],
    [`/page.js?memory=${MEMORY_BYTES}`]: script,
    "/libv86.mjs": ["text/javascript", await readFile("node_modules/v86/build/libv86.mjs")],
    "/v86.wasm": ["application/wasm", await readFile("node_modules/v86/build/v86.wasm")],
    "/vmlinuz": binary(parts.kernel),
    "/agent": binary(parts.agent),
    "/state": binary(new Uint8Array(state)),
    "/modules": ["application/json", JSON.stringify(parts.modules.map(({ name }) => name))],
    ...Object.fromEntries(
      parts.modules.map(({ name, bytes }) => [`/modules/${name}`, binary(bytes)]),
    ),
  };
  const digest = createHash("sha256").update(linuxImage(parts)).digest("hex");
  expect(await toldBy(context, files)).toBe(`${digest} up G-NOTIFY-EARLY Q-ORDER`);
});
