/**
 * Firecracker, cloud-hypervisor and crosvm as hosts, before stand-ins for them that are stricter than
 * the real ones. The real ones need KVM: HOSTS.md says what was seen there.
 */
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import {
  type CheckedMachine,
  type CheckHostSystem,
  checkDevice,
  cloudHypervisorHost,
  crosvmHost,
  firecrackerHost,
  HOST_ABILITIES,
  type HostAbility,
  type HostHand,
} from "../../../src/check/index.ts";
import { FailureError } from "../../../src/failure.ts";

const NAMES = ["firecracker", "cloud-hypervisor", "crosvm"] as const;
const STAND_INS = [
  "stand-ins/firecracker.ts",
  "stand-ins/cloud-hypervisor.ts",
  "stand-ins/crosvm.ts",
];
const MAKE = {
  firecracker: firecrackerHost,
  "cloud-hypervisor": cloudHypervisorHost,
  crosvm: crosvmHost,
} as const;
const MEMORY_BYTES = 64 * 2 ** 20;
/** Each command of crosvm's is a process: a dozen of them on a busy machine. */
const LIMIT = { timeout: 60_000 };

let folder = "";
let image = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "check-hosts-"));
  vi.stubEnv("TMPDIR", folder);
  image = join(folder, "image.elf");
  await writeFile(image, "an image");
  await build({
    entryPoints: STAND_INS.map((path) => fileURLToPath(new URL(path, import.meta.url))),
    ...{ bundle: true, platform: "node", format: "esm", target: "node20" },
    ...{ outdir: folder, outExtension: { ".js": ".mjs" }, logLevel: "silent" },
  });
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

const standIn = (name: (typeof NAMES)[number]) => [process.execPath, join(folder, `${name}.mjs`)];

/** What has a function for each ability. */
function does(hand: HostHand) {
  return {
    ...{ target: hand.setTarget, shown: hand.shown, statistics: hand.statistics },
    ...{ interval: hand.setInterval, hint: hand.hint, pause: hand.pause, reset: hand.reset },
    ...{ snapshot: hand.snapshot, resident: hand.residentBytes },
  };
}

const launch = (host: CheckHostSystem) =>
  host.launch({
    ...{ image, append: "one two", memoryBytes: MEMORY_BYTES },
    ...{ device: { hinting: true, reporting: true }, signal: new AbortController().signal },
  });

describe.each(NAMES)("%s", (name) => {
  const make = () => MAKE[name]({ program: standIn(name) });

  it("boots a guest, moves its balloon, stops it, saves it and goes on", LIMIT, async () => {
    const host = await make();
    let machine: CheckedMachine = await launch(host);
    onTestFinished(async () => void (await machine.kill()));
    const { can = [] } = host;
    const hand = () => machine.hand ?? {};
    expect(HOST_ABILITIES).toEqual(expect.arrayContaining([...can]));
    for (const [ability, has] of Object.entries(does(hand()))) {
      expect([ability, can.includes(ability as HostAbility)]).toEqual([ability, has !== undefined]);
    }
    const [first] = await Promise.all([machine.lines[Symbol.asyncIterator]().next()]);
    expect(first.value).toBe("ballonet: ready: one two");
    const shown = async () => (await hand().shown?.())?.actualPages;

    await hand().setTarget?.(512);
    expect(await shown()).toBe(512);
    await hand().pause?.();
    await expect(hand().pause?.()).rejects.toThrow(/paused|Paused|suspend|not running/);
    await hand().resume?.();
    await expect(hand().setTarget?.(2 ** 30)).rejects.toThrow(FailureError);

    expect(hand().statistics !== undefined).toBe(can.includes("statistics"));
    if (hand().statistics !== undefined) {
      const seen = await hand().statistics?.({ fresh: false });
      expect(seen?.tags.freeMemory).toBe(BigInt(MEMORY_BYTES - 512 * 4096));
      expect(seen?.tags.swapIn).toBeUndefined();
    }
    if (can.includes("interval")) await hand().setInterval?.(7);
    if (can.includes("hint")) await hand().hint?.();
    expect(await hand().residentBytes?.()).toBeGreaterThan(2 ** 20);

    const before = machine;
    machine = (await hand().snapshot?.()) ?? machine;
    expect(await before.ended).toMatch(/SIGKILL/);
    expect(await shown()).toBe(512);
    await hand().setTarget?.(256);
    expect(await shown()).toBe(256);
    expect(await machine.control?.request({ method: "status" })).toBe("status");
    await machine.kill();
    expect(await machine.ended).toMatch(/SIGKILL/);
  });

  it("answers on COM1 what the checks ask for", LIMIT, async () => {
    const { results, passed } = await checkDevice({ host: await make(), image });
    expect(passed).toBe(true);
    expect(results.map(({ scenario }) => scenario)).toEqual(["A", "B", "C"]);
    const [target, odd, statistics] = results.map(({ note }) => note);
    expect(target).toBe('{"answer":{}} 512');
    // Firecracker takes whole MiB.
    expect(odd).toBe(name === "firecracker" ? "{} 512" : '{"answer":{}} 5');
    if (name === "cloud-hypervisor") expect(statistics).toBe("{} 5");
    else expect(statistics).toMatch(/"answer":\{"tags":\{"4":"\d+"/);
  });

  it("that cannot start is an outcome, with what it said", async () => {
    const missing = join(folder, "none.elf");
    const { passed, results } = await checkDevice({ host: await make(), image: missing });
    expect(passed).toBe(false);
    expect(results[0]?.note).toMatch(/^it does not start: .*kernel/);
  });

  it("that is no program is missing", async () => {
    const work = MAKE[name]({ program: [join(folder, "none")] });
    await expect(work).rejects.toMatchObject({ kind: "missing", what: name });
  });

  it("has some transports and no others", async () => {
    const make = MAKE[name]({ program: standIn(name), transport: "legacy" });
    await expect(make).rejects.toMatchObject({ kind: "usage", seen: "legacy" });
    const host = await MAKE[name]({ program: standIn(name), transport: "modern" });
    expect(host.settings).toEqual({ transport: "modern" });
  });
});

it("Firecracker has its device on PCI, too", async () => {
  const program = standIn("firecracker");
  const machine = await launch(await firecrackerHost({ program, transport: "modern" }));
  await machine.kill();
  expect(await machine.ended).toMatch(/SIGKILL/);
});

it("nothing of a machine stays", async () => {
  const mine = ["image.elf", ...NAMES.map((name) => `${name}.mjs`)];
  expect((await readdir(folder)).sort()).toEqual(mine.sort());
});
