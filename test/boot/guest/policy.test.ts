/**
 * A policy of the user's in an image: it is followed, and one that lies, throws or never returns is
 * named once, while the balloon goes on.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { programImageFile, provideProgramImage } from "../../../src/image/provide-program-image.ts";
import { runProgram } from "../../../src/session/run-program.ts";
import { launchQemu } from "../../../src/vmm/qemu/qemu.ts";
import { launchV86 } from "../../../src/vmm/v86/v86.ts";
import type { Vmm } from "../../../src/vmm/vmm.ts";
import { findOnPath } from "../../support/process-tree.ts";
import { toolOrSkip } from "../../support/tools.ts";

const BUILD_MS = 600_000;
const MEMORY_BYTES = 64 * 2 ** 20;
const LOG_MS = 20_000;
const TARGET_PAGES = 12_288;

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "policy-test-"));
});
afterAll(() => rm(folder, { recursive: true }));

const EIGHTH = `
import { type Policy, pagesBound, spendablePages, stay } from "ballonet";
const policy: Policy = {
  name: "an-eighth",
  decide(view) {
    const reachable = pagesBound(view) + spendablePages(view);
    const goalPages = Math.min(view.targetPages, Math.floor(view.totalPages / 8), reachable);
    if (goalPages < 0) return stay(view, Infinity);
    return { goalPages, atMostPages: Infinity, short: undefined, lookAgainMs: undefined };
  },
};
export default policy;`;

const lying = (body: string) => `
import { stay, type PolicyView } from "ballonet/runtime";
export default { name: "liar", decide(view: PolicyView) { ${body} } };`;

type Machine = readonly [on: "v86" | "qemu", arch: "i386" | "x86_64"];
const V86: Machine = ["v86", "i386"];
const I386: Machine = ["qemu", "i386"];
const X86_64: Machine = ["qemu", "x86_64"];

async function written(source: string): Promise<string> {
  const path = join(folder, "mine.ts");
  await writeFile(path, source);
  return path;
}

/** Boots an image with the policy. */
async function booted([on, arch]: Machine, source: string, append = ""): Promise<Vmm> {
  const image = await provideProgramImage({ policy: await written(source), arch });
  const common = { memoryBytes: MEMORY_BYTES, append };
  if (on === "v86") return launchV86({ ...common, image: image.contents });
  return launchQemu({ ...common, image: await programImageFile(image, arch), arch });
}

it.for([V86, X86_64])("is followed, on %s %s", { timeout: BUILD_MS }, async (place, context) => {
  const tool = `qemu-system-${place[1]}`;
  if (place[0] === "qemu") toolOrSkip(context, findOnPath(tool), tool);
  const vm = await booted(place, EIGHTH);
  try {
    await vm.log.waitForLine({ pattern: "ready: ", timeoutMs: BUILD_MS });
    await vm.balloon.setTarget({ pages: TARGET_PAGES });
    const status = () => vm.control.request({ method: "status" });
    const { policy, frames } = (await status()) as {
      policy: string;
      frames: Record<string, number>;
    };
    expect(policy).toBe("an-eighth");
    const { reserved = 0, ...ram } = frames;
    const total = Object.values(ram).reduce((sum, count) => sum + count, 0);
    expect(reserved).toBeGreaterThan(0);
    await vm.balloon.waitForActual({ pages: Math.floor(total / 8) });
    expect(await status()).not.toHaveProperty("lastError");
    await vm.control.request({ method: "policy.set", params: { name: "follow" } });
    await vm.balloon.waitForActual({ pages: TARGET_PAGES });
  } finally {
    await vm.kill();
  }
});

it.for([
  [V86, "never returns", "for (;;);", "it took longer than its time limit"],
  [X86_64, "never returns", "for (;;);", "it took longer than its time limit"],
  [I386, "never catches its end", "for (;;) try { for (;;); } finally { continue; }", "time limit"],
  [V86, "decides NaN", "return { ...stay(view, 1), goalPages: NaN };", "goalPages NaN"],
  [I386, "decides 1e9", "return { ...stay(view, 1), goalPages: 1e9 };", "goalPages 1000000000"],
  [X86_64, "throws", 'throw new Error("no idea");', "an error: Error: no idea"],
  [X86_64, "calls itself", "const f = (): never => f(); f();", "Maximum call stack"],
  [
    I386,
    "fills memory",
    "const all: unknown[] = []; for (;;) all.push(new Uint8Array(1e5));",
    "out of memory",
  ],
  [
    X86_64,
    "nests iterators",
    "let it = [1].values(); for (let i = 0; i < 20000; i++) it = it.map(Object); it.next();",
    "stack overflow",
  ],
  ...[V86, X86_64, I386].map(
    (place) =>
      [
        place,
        "never ends one call of the engine's own functions",
        'return "a".repeat(2e6).indexOf("a".repeat(1e6) + "b");',
        "it took longer than its time limit",
      ] as const,
  ),
  [
    X86_64,
    "leaves work for later",
    "const again = (): void => { Promise.resolve().then(again); }; again();" +
      "Promise.resolve().then(() => { for (;;); }); return 0;",
    "the decision 0",
  ],
] as const)(
  "that %s is named, and the balloon goes on",
  { timeout: BUILD_MS },
  async ([place, , body, seen], context) => {
    const tool = `qemu-system-${place[1]}`;
    if (place[0] === "qemu") toolOrSkip(context, findOnPath(tool), tool);
    const vm = await booted(place, lying(body));
    try {
      await vm.balloon.setTarget({ pages: TARGET_PAGES });
      await vm.balloon.waitForActual({ pages: TARGET_PAGES });
      // The balloon may be as wanted before the log has come.
      await vm.log.waitForLine({ pattern: /policy/, timeoutMs: LOG_MS });
      const told = vm.log.lines.filter((line) => line.includes("policy"));
      expect(told).toEqual([expect.stringContaining(seen)]);
      expect(told[0]).toMatch(/policy (mine|liar): .*; follow goes on in its place$/);
      expect(await vm.control.request({ method: "status" })).toMatchObject({
        policy: "follow",
        lastError: { code: "policy" },
      });
    } finally {
      await vm.kill();
    }
  },
);

it(
  "has its place beside a program, and a module that never ends is contained",
  async (context) => {
    toolOrSkip(context, findOnPath("qemu-system-x86_64"), "qemu-system-x86_64");
    const app = join(folder, "app.ts");
    await writeFile(
      app,
      `import { args, exit, notify, serve } from "ballonet/guest";
     serve("end", () => void setTimeout(() => exit(args.length), 10));
     notify("ready", null);`,
    );
    const policy = await written("for (;;); export default {};");
    const lines: string[] = [];
    let meanwhile = Promise.resolve();
    const code = await runProgram({
      ...{ app, policy, on: "qemu", args: ["one", "two"] },
      onLog: (line) => lines.push(line),
      onStart: (vm) => {
        meanwhile = (async () => {
          for await (const { name } of vm.control.notifications()) if (name === "ready") break;
          await vm.balloon.setTarget({ pages: TARGET_PAGES });
          await vm.balloon.waitForActual({ pages: TARGET_PAGES });
          await vm.control.request({ method: "end" });
        })();
        meanwhile.catch(() => vm.kill());
      },
    });
    await meanwhile;
    expect(lines.join("\n")).toMatch(/policy mine: .*time limit.*follow goes on/);
    expect(code).toBe(2);
  },
  BUILD_MS,
);
