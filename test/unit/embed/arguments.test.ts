/**
 * What JavaScript callers, who have no types, are told: one line with what was seen and what to do,
 * before the device is touched.
 */
import { describe, expect, it, vi } from "vitest";
import {
  type BallonetError,
  type Balloon,
  type BalloonOptions,
  balloonArenaBytes,
  createBalloon,
  follow,
  frameBytes,
  gentle,
  loadCore,
} from "../../../src/index.ts";
import { FRAMES, PAGE, rig } from "./rig.ts";

/** Code, what, seen, and words of what to do. */
type Said = readonly [code: string, what: string, seen: string, todo: RegExp];

/** Whether a call is refused with just these words. */
async function expectRefusal(call: () => unknown, [code, what, seen, todo]: Said) {
  const error = await Promise.resolve()
    .then(call)
    .then(
      () => "nothing was thrown",
      (thrown: unknown) => thrown,
    );
  expect(error).toMatchObject({ code, what, seen, todo: expect.stringMatching(todo) });
  const { message, todo: does } = error as BallonetError;
  expect(message).toBe(`${what}: seen ${seen}; do ${does}`);
}

const HAL_NAMES = "portRead, portWrite, mmioRead, mmioWrite, now, log";
const shared = () => new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
class Machine {}

const OPTIONS: readonly (readonly [object, ...Said])[] = [
  [{ hal: undefined }, "config", "hal", "undefined", new RegExp(HAL_NAMES)],
  [{ hal: new Machine() }, "config", "hal.portRead", "undefined", /function portRead/],
  [{ memory: undefined }, "memory", "memory", "undefined", /WebAssembly\.Memory/],
  [{ memory: new ArrayBuffer(8) }, "memory", "memory", "ArrayBuffer", /WebAssembly\.Memory/],
  [{ memory: shared() }, "memory", "memory", "a shared memory", /without `shared`/],
  [{ ram: undefined }, "memory", "ram", "undefined", /a list of/],
  [
    { ram: { start: PAGE, bytes: PAGE } },
    "memory",
    "ram",
    "an object with start, bytes",
    /a list of/,
  ],
  [{ ram: [null] }, "memory", "ram[0]", "null", /start, bytes/],
  [{ ram: [{ start: PAGE }] }, "memory", "ram[0], bytes", "undefined", /numbers of bytes/],
  [{ ram: [{ start: "4096", bytes: 1 }] }, "memory", "ram[0], start", '"4096"', /numbers/],
  [{ arena: undefined }, "memory", "arena", "undefined", /balloonArenaBytes/],
  [{ arena: 4096 }, "memory", "arena", "4096", /start, bytes/],
  [
    { arena: { start: Number.NaN, bytes: PAGE } },
    "memory",
    "arena",
    "start NaN, 4096 bytes",
    /whole numbers/,
  ],
  [{ settings: "linux" }, "config", "settings", '"linux"', /\{ persona: "linux" \}/],
  [
    { policy: "gentel" },
    "config",
    "policy",
    '"gentel"',
    /follow, gentle, cooperative, report-only/,
  ],
  [{ policy: gentle }, "config", "policy", "the function gentle", /call it/],
  [{ policy: {} }, "config", "policy", "an object with nothing", /follow\(\)/],
  [{ statistics: {} }, "config", "statistics", "an object with nothing", /a function/],
  [{ transport: "modern" }, "config", "transport", '"modern"', /transport of a device/],
  [{ signal: true }, "config", "signal", "true", /AbortController/],
  [{ discover: "pci" }, "config", "discover", '"pci"', /an object/],
  [
    { discover: { prefer: "legcy" } },
    "config",
    "discover.prefer",
    '"legcy"',
    /did you mean legacy\?/,
  ],
  [{ discover: { interrupts: "msi" } }, "config", "discover.interrupts", '"msi"', /best, line/],
  [
    { discover: { comandLine: "" } },
    "config",
    "discover",
    'an unknown one, "comandLine"',
    /mean commandLine\?/,
  ],
  [{ polciy: follow() }, "config", "options", 'an unknown one, "polciy"', /did you mean policy\?/],
  [{ persona: "x" }, "config", "options", 'an unknown one, "persona"', /^there are memory, hal/],
  [{ core: "core.wasm" }, "core-abi", "core.wasm", '"core.wasm"', /fetch\(URL\)/],
  [{ core: new URL("file:///x") }, "core-abi", "core.wasm", "URL", /fetch\(URL\)/],
];

describe("createBalloon refuses", () => {
  it.each(OPTIONS)("%o", async (change, ...words) => {
    const { options, machine } = await rig();
    const changed = { ...options, ...change } as BalloonOptions;
    await expectRefusal(() => createBalloon(changed), words);
    expect(machine.trace.last).toBe(0);
  });

  it("a Hal that lacks any of its functions, or has interrupts that are none", async () => {
    const { options } = await rig();
    for (const name of HAL_NAMES.split(", ")) {
      const hal = { ...options.hal, [name]: "no function" };
      const words: Said = ["config", `hal.${name}`, '"no function"', new RegExp(name)];
      await expectRefusal(() => createBalloon({ ...options, hal }), words);
    }
    const hal = { ...options.hal, interrupts: {} } as BalloonOptions["hal"];
    const words: Said = ["config", "hal.interrupts", "an object with nothing", /allocate/];
    await expectRefusal(() => createBalloon({ ...options, hal }), words);
  });

  it.each([
    [undefined, "undefined"],
    [null, "null"],
    [7, "7"],
  ])("%s for options", async (options, seen) => {
    const create = () => createBalloon(options as never);
    await expectRefusal(create, ["config", "options", seen, /memory, hal, arena and ram/]);
    const count = () => balloonArenaBytes(options as never);
    await expectRefusal(count, ["config", "options", seen, /object with ram/]);
    const words: Said = ["memory", "memory", "undefined", /WebAssembly\.Memory/];
    await expectRefusal(() => createBalloon({} as never), words);
  });
});

describe("balloonArenaBytes refuses", () => {
  it("what createBalloon refuses of the same options", async () => {
    const ram = [{ start: PAGE, bytes: PAGE }];
    const refused: readonly (readonly [object, Said])[] = [
      [{}, ["memory", "ram", "undefined", /a list of/]],
      [{ ram: [] }, ["memory", "RAM", "no ranges, so zero frames", /at least one/]],
      [{ ram, setings: {} }, ["config", "options", 'an unknown one, "setings"', /mean settings\?/]],
      [{ ram, settings: "linux" }, ["config", "settings", '"linux"', /persona/]],
      [{ ram, core: 1 }, ["core-abi", "core.wasm", "1", /leave it out/]],
    ];
    for (const [options, words] of refused) {
      await expectRefusal(() => balloonArenaBytes(options as never), words);
    }
  });
});

const CALLS: readonly (readonly [string, (balloon: Balloon) => unknown, ...Said])[] = [
  [
    "run",
    (it) => it.run(undefined as never),
    "config",
    "options",
    "undefined",
    /give \{ signal \}/,
  ],
  ["run", (it) => it.run({} as never), "config", "options", "an object with nothing", /signal/],
  ["run", (it) => it.run({ signal: 1 } as never), "config", "signal", "1", /AbortController/],
  ["stop", (it) => it.stop(1 as never), "config", "options", "1", /signal/],
  [
    "suspend",
    (it) => it.suspend({ signal: {} } as never),
    "config",
    "signal",
    "an object with nothing",
    /AbortController/,
  ],
  [
    "attach",
    (it) => it.attach({ transport: {} } as never),
    "config",
    "transport",
    "an object with nothing",
    /found/,
  ],
  [
    "allocate",
    (it) => it.allocate("4" as never),
    "memory",
    "frames to allocate",
    "4",
    /at least one/,
  ],
  [
    "allocate",
    (it) => it.allocate(undefined as never),
    "memory",
    "frames to allocate",
    "undefined",
    /at least/,
  ],
  [
    "release",
    (it) => it.release(undefined as never),
    "memory",
    "frames to release",
    "undefined",
    /allocate/,
  ],
  [
    "release",
    (it) => it.release([1, 1] as never),
    "memory",
    "frames to release",
    "Array",
    /allocate/,
  ],
  ["setPolicy", (it) => it.setPolicy("gentel" as never), "config", "policy", '"gentel"', /gentle/],
  [
    "setPolicy",
    (it) => it.setPolicy(undefined as never),
    "config",
    "policy",
    "undefined",
    /follow/,
  ],
  ["setReserve", (it) => it.setReserve(-1), "config", "reserve", "-1", /from 0/],
  ["setReserve", (it) => it.setReserve(Number.NaN), "config", "reserve", "NaN", /from 0/],
  ["setReserve", (it) => it.setReserve("1" as never), "config", "reserve", '"1"', /from 0/],
  [
    "setDeflateMode",
    (it) => it.setDeflateMode("last" as never),
    "config",
    "deflate mode",
    '"last"',
    /tell-first/,
  ],
];

describe("a balloon refuses", () => {
  it.each(CALLS)("%s of what is none: %s", async (_name, call, ...words) => {
    const { options, machine } = await rig();
    const balloon = await createBalloon(options);
    const before = balloon.status();
    await expectRefusal(() => call(balloon), words);
    expect(balloon.status()).toEqual(before);
    expect(balloon.counts().free).toBe(FRAMES);
    expect(machine.check()).toEqual([]);
  });

  it("frames that its memory does not have", async () => {
    const { options } = await rig();
    const pages = options.memory.buffer.byteLength / PAGE;
    for (const pfn of [-1, 1.5, Number.NaN, pages]) {
      const words: Said = ["memory", "PFN", String(pfn), new RegExp(`below ${pages}`)];
      await expectRefusal(() => frameBytes(options.memory, pfn), words);
    }
    expect(frameBytes(options.memory, pages - 1)).toHaveLength(PAGE);
  });
});

describe("a policy by its name", () => {
  it("is served, at the start and later", async () => {
    const { options } = await rig();
    const balloon = await createBalloon({ ...options, policy: "gentle" });
    expect(balloon.status().policy).toBe("gentle");
    balloon.setPolicy("report-only");
    expect(balloon.status().policy).toBe("report-only");
  });
});

describe("loadCore", () => {
  it("refuses what is no source", async () => {
    const words: Said = ["core-abi", "core.wasm", '"core.wasm"', /fetch\(URL\)/];
    await expectRefusal(() => loadCore("core.wasm" as never), words);
    await expectRefusal(
      () => loadCore(undefined, 1 as never),
      ["config", "options", "1", /signal/],
    );
  });

  it("tries again after the package's own core could not be compiled", async () => {
    vi.resetModules();
    const { loadCore: load } = await import("../../../src/embed/load-core.ts");
    const compile = vi.spyOn(WebAssembly, "compile");
    compile.mockRejectedValueOnce(new WebAssembly.CompileError("forbidden by the page's policy"));
    const error: unknown = await load().catch((thrown) => thrown);
    expect(error).toMatchObject({
      code: "core-abi",
      what: "the core.wasm of the package",
      seen: "CompileError: forbidden by the page's policy",
      todo: expect.stringContaining("'wasm-unsafe-eval'"),
    });
    const [first, second] = await Promise.all([load(), load()]);
    expect(first).toBeInstanceOf(WebAssembly.Module);
    expect(second).toBe(first);
    expect(compile).toHaveBeenCalledTimes(2);
    compile.mockRestore();
  });
});
