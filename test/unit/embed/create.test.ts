/**
 * What createBalloon makes of options that make no sense: an error with a code, what was seen and
 * what to do, before the device is touched.
 */
import { describe, expect, it } from "vitest";
import {
  BallonetError,
  type BalloonOptions,
  balloonArenaBytes,
  createBalloon,
  type ErrorCode,
  loadCore,
  PERSONA_NAMES,
  type SettingsInput,
} from "../../../src/index.ts";
import { compilePatchedCore, patchFiles } from "../../support/patched.ts";
import { coreModule, guestModule } from "../../support/vm.ts";
import { FRAMES, PAGE, rig } from "./rig.ts";

async function refusal(changes: (options: BalloonOptions) => Partial<BalloonOptions>) {
  const { options, machine } = await rig();
  const error: unknown = await createBalloon({ ...options, ...changes(options) }).catch((e) => e);
  expect(error).toBeInstanceOf(BallonetError);
  return { error: error as BallonetError, machine };
}

/** The code, and words of what was seen and of what to do. */
interface Expected {
  readonly code: ErrorCode;
  readonly seen: RegExp;
  readonly todo: RegExp;
}

interface Case extends Expected {
  readonly what: string;
  readonly changes: (options: BalloonOptions) => Partial<BalloonOptions>;
}

const memory = (seen: RegExp, todo: RegExp): Expected => ({ code: "memory", seen, todo });
const ramOf = (start: number, bytes: number) => () => ({ ram: [{ start, bytes }] });

const MEMORY_CASES: readonly Case[] = [
  {
    what: "memory too small for the RAM",
    changes: () => ({ memory: new WebAssembly.Memory({ initial: 2 }) }),
    ...memory(/in a memory of 131072 bytes/, /grow the memory/),
  },
  {
    what: "memory too small for the arena",
    changes: ({ arena, memory: { buffer } }) => ({
      arena: { start: Math.ceil(buffer.byteLength / PAGE) * PAGE, bytes: arena.bytes },
    }),
    ...memory(/an end at \d+ in a memory/, /smaller range/),
  },
  { what: "RAM unaligned", changes: ramOf(PAGE + 1, PAGE), ...memory(/0x1001/, /align/) },
  { what: "RAM of odd length", changes: ramOf(PAGE, 5000), ...memory(/0x1000/, /align/) },
  { what: "RAM of no length", changes: ramOf(PAGE, 0), ...memory(/0 bytes/, /at least one frame/) },
  { what: "RAM below 0", changes: ramOf(-PAGE, PAGE), ...memory(/-4096/, /not below 0/) },
  { what: "RAM at a fraction", changes: ramOf(0.5, PAGE), ...memory(/0\.5/, /whole numbers/) },
  { what: "RAM at no number", changes: ramOf(Number.NaN, PAGE), ...memory(/NaN/, /./) },
  { what: "no RAM", changes: () => ({ ram: [] }), ...memory(/zero frames/, /at least one range/) },
  {
    what: "RAM ranges that overlap",
    changes: () => ({
      ram: [
        { start: PAGE, bytes: 8 * PAGE },
        { start: 4 * PAGE, bytes: 8 * PAGE },
      ],
    }),
    ...memory(/0x1000\.\.0x9000 and 0x4000\.\.0xc000 overlapping/, /disjoint/),
  },
  {
    what: "an arena inside the RAM",
    changes: ({ arena }) => ({ arena: { start: 8 * PAGE, bytes: arena.bytes } }),
    ...memory(/overlapping/, /disjoint/),
  },
  {
    what: "an arena too small",
    changes: ({ arena }) => ({ arena: { start: arena.start, bytes: PAGE } }),
    ...memory(/4096 bytes/, /at least \d+, as arenaBytes\(\) or balloonArenaBytes\(\) says/),
  },
  {
    what: "an arena at 0",
    changes: ({ arena }) => ({ arena: { start: 0, bytes: arena.bytes } }),
    ...memory(/start 0x00/, /above the first frame/),
  },
  {
    what: "an arena unaligned",
    changes: ({ arena }) => ({ arena: { start: arena.start + 16, bytes: arena.bytes } }),
    ...memory(/./, /align|grow/),
  },
];

const setting = (settings: object) => () => ({ settings: settings as SettingsInput });
const config = (seen: RegExp, todo: RegExp): Expected => ({ code: "config", seen, todo });

const SETTING_CASES: readonly Case[] = [
  {
    what: "an unknown persona",
    changes: setting({ persona: "macos" }),
    ...config(/"macos"/, new RegExp(PERSONA_NAMES.join(", "))),
  },
  {
    what: "a persona from the prototype",
    changes: setting({ persona: "constructor" }),
    ...config(/"constructor"/, /choose one of/),
  },
  {
    what: "an unknown deflate mode",
    changes: setting({ deflateMode: "tell-last" }),
    ...config(/tell-last/, /tell-first, use-first, tell-if-must, silent/),
  },
  {
    what: "an unknown setting",
    changes: setting({ pollSeconds: 1 }),
    ...config(/"pollSeconds"/, /remove/),
  },
  ...(
    [
      ["queueSizeMax", [1, 1025, 2.5, "8", Number.NaN], /from 2 to 1024/],
      ["buffersInFlight", [0, 257, -1], /from 1 to 256/],
      ["pfnsPerBuffer", [0, 513], /from 1 to 512/],
      ["reservePages", [-1, 0.5, 2 ** 32], /from 0 to 4294967295/],
      ["pollMs", [0, Number.POSITIVE_INFINITY], /from 1 to 3600000/],
    ] as const
  ).flatMap(([name, values, todo]) =>
    values.map((value) => ({
      what: `${name} = ${JSON.stringify(value)}`,
      changes: setting({ [name]: value }),
      ...config(new RegExp(String(value).replace(".", "\\.")), todo),
    })),
  ),
];

describe("createBalloon refuses", () => {
  it.each([...MEMORY_CASES, ...SETTING_CASES])("$what", async (given) => {
    const { error, machine } = await refusal(given.changes);
    expect(error.code).toBe(given.code);
    expect(error.seen).toMatch(given.seen);
    expect(error.todo).toMatch(given.todo);
    expect(error.message).toContain(`seen ${error.seen}; do ${error.todo}`);
    expect(machine.trace.last).toBe(0);
  });

  it("a machine without a balloon", async () => {
    const { error, machine } = await refusal(({ hal }) => ({
      hal: { ...hal, portRead: (_port, width) => 2 ** (8 * width) - 1 },
    }));
    expect(error.code).toBe("no-device");
    expect(error.seen).toMatch(/0 other PCI functions/);
    expect(error.todo).toMatch(/balloon device/);
    expect(machine.status).toBe(0);
  });

  it("a core of another version", async () => {
    const patch = {
      file: "assembly/index.ts",
      find: "const ABI_VERSION: u32 = ",
      replace: "const ABI_VERSION: u32 = 1000 + ",
    };
    const core = await compilePatchedCore(patchFiles([patch]));
    const { error, machine } = await refusal(() => ({ core }));
    expect(error.code).toBe("core-abi");
    expect(error.seen).toMatch(/ABI version 100\d, wanted \d/);
    expect(error.todo).toMatch(/core\.wasm that was built with this runtime/);
    expect(machine.trace.last).toBe(0);
  });

  it("a module that exports nothing", async () => {
    const bytes = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
    const { error } = await refusal(() => ({ core: bytes }));
    expect(error.code).toBe("core-abi");
    expect(error.seen).toMatch(/ABI version none/);
  });

  it("a module that wants other imports, and bytes that are no module", async () => {
    for (const core of [guestModule, Uint8Array.of(1, 2, 3)]) {
      const { error } = await refusal(() => ({ core }));
      expect(error.code).toBe("core-abi");
      expect(error.todo).toMatch(/core\.wasm/);
    }
  });

  it("a response that is no success", async () => {
    const core = new Response("nothing here", { status: 404, statusText: "Not Found" });
    const { error } = await refusal(() => ({ core }));
    expect(error.code).toBe("core-abi");
    expect(error.seen).toContain("HTTP status 404 Not Found");
  });

  it("to go on after its signal was aborted", async () => {
    const { options, machine } = await rig();
    const signal = AbortSignal.abort(new Error("never mind"));
    await expect(createBalloon({ ...options, signal })).rejects.toThrow("never mind");
    expect(machine.trace.last).toBe(0);
  });

  it("to wait for its core after its signal was aborted", async () => {
    const reason = new Error("never mind");
    const abort = new AbortController();
    const never = () => new Promise<never>(() => {});
    const loaded = loadCore(never, { signal: abort.signal });
    const { options, machine } = await rig();
    const created = createBalloon({ ...options, core: never, signal: abort.signal });
    abort.abort(reason);
    await expect(loaded).rejects.toBe(reason);
    await expect(created).rejects.toBe(reason);
    expect(machine.trace.last).toBe(0);
    // The signal of one caller does not take the shared core from the others.
    const { signal } = new AbortController();
    await expect(loadCore(undefined, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(await loadCore(undefined, { signal })).toBe(await loadCore());
  });
});

describe("createBalloon accepts", () => {
  it("RAM in pieces, the arena between them", async () => {
    const { options, machine } = await rig();
    const { arena } = options;
    const below = { start: PAGE, bytes: 100 * PAGE };
    const middle = { start: 101 * PAGE, bytes: arena.bytes };
    const above = { start: middle.start + middle.bytes, bytes: 200 * PAGE };
    const balloon = await createBalloon({ ...options, arena: middle, ram: [above, below] });
    expect(balloon.counts().free).toBe(300);
    machine.setTarget(20);
    balloon.interrupt();
    expect(balloon.counts().held).toBe(20);
    machine.check();
    expect(machine.verdicts).toEqual([]);
  });

  it("the core as bytes, and its own when none is given", async () => {
    const { options } = await rig();
    const { core: _, ...rest } = options;
    const balloon = await createBalloon(rest);
    expect(balloon.status().state).toBe("running");
    expect(await balloonArenaBytes({ ram: options.ram })).toBe(options.arena.bytes);
  });

  it("every persona", async () => {
    for (const persona of PERSONA_NAMES) {
      const settings = { persona };
      const { options } = await rig();
      const bytes = await balloonArenaBytes({ ram: options.ram, settings, core: coreModule });
      const memory = options.memory;
      memory.grow(Math.ceil(bytes / 65536));
      const arena = { start: options.arena.start, bytes };
      const balloon = await createBalloon({ ...options, arena, settings });
      expect(balloon.status()).toMatchObject({ state: "running", persona });
      expect(balloon.counts().free).toBe(FRAMES);
    }
  });
});
