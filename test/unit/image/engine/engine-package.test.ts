/**
 * The engine's package is understood, and the bundle's evaluation gives the same bytes each time.
 */
import { expect, test } from "vitest";
import {
  nameExports,
  nameImports,
  readEngine,
} from "../../../../src/image/engine/engine-package.ts";
import { takeSnapshot } from "../../../../src/image/engine/snapshot.ts";
import { ImageError } from "../../../../src/image/errors.ts";

const FRAME_BYTES = 4096;

async function snapshot(...scripts: string[]) {
  return takeSnapshot({
    engine: await readEngine(),
    scripts,
    machineFunctions: ["portRead", "now"],
    coreFunctions: ["abi_version"],
    scriptStackBytes: 128 * 1024,
  });
}

const GUEST = "globalThis.guest = { boot() { return 1 }, wake() { return 2 } };";

test("every import of the engine has a meaning, every export that the kernel calls a name", async () => {
  const engine = await readEngine();
  expect(engine.imports.size).toBe(20);
  for (const name of ["QTS_Eval", "QTS_Call", "QTS_NewFunction", "malloc", "free"]) {
    expect(engine.exports.get(name), name).toMatch(/^[\w$]+$/);
  }
  expect(engine.initialPages * 65536).toBeGreaterThanOrEqual(engine.stackTop);
  expect((engine.initialPages - 1) * 65536).toBeLessThan(engine.stackTop);
});

test("an import of unknown meaning is an error", () => {
  const loader = "var o={b:(a)=>N(`Assertion failed: `+a),x:()=>somethingNew(7)},Z;";
  expect(() => nameImports(loader, ["b", "x"], "a")).toThrow(ImageError);
  expect(() => nameImports(loader, ["b", "x"], "a")).toThrow(/import x of unknown meaning/);
  expect([...nameImports(loader, ["b"], "a")]).toEqual([["assert_fail", "b"]]);
});

test("exports are named by the loader's assignments", () => {
  const names = nameExports("d._malloc=b.w;d._QTS_Throw=b.x;d._QTS_Get$=b.$;");
  expect(names.get("malloc")).toBe("w");
  expect(names.get("QTS_Throw")).toBe("x");
});

test("the same bundle gives the same snapshot, another one another", async () => {
  const [first, second, other] = await Promise.all([
    snapshot(GUEST),
    snapshot(GUEST),
    snapshot(`${GUEST} globalThis.more = [1, 2, 3].map((n) => ({ n }));`),
  ]);
  expect(Buffer.compare(first.frames, second.frames)).toBe(0);
  expect(second).toEqual(first);
  expect(Buffer.compare(first.frames, other.frames)).not.toBe(0);
  expect(first.frames.length).toBe(first.frameNumbers.length * FRAME_BYTES);
});

test("what compiling left behind on the heap is not in the snapshot", async () => {
  const marker = "left-behind-by-the-compiler";
  const garbage = `(() => { const all = []; for (let i = 0; i < 2000; i++) all.push("${marker}" + i); })();`;
  const { frames } = await snapshot(`${garbage} ${GUEST}`);
  const found = Buffer.from(frames).toString("latin1").split(marker).length - 1;
  // The script's own text may hold it; none of the 2000 strings that it made may.
  expect(found).toBeLessThan(10);
});

test.each([
  ["machine.portRead(1, 1)", /machine\.portRead\(\) was called before there was a machine/],
  ["machine.core.abi_version()", /machine\.abi_version\(\) was called before/],
  ["throw new TypeError('no good')", /TypeError: no good .*guest\.js:1/],
  ["syntax error", /SyntaxError/],
  ["globalThis.guest = { boot() {} }", /no function guest\.wake/],
  ["1", /no global `guest`/],
])("a bundle that cannot be a guest is refused: %s", async (bundle, message) => {
  const error = await snapshot(bundle).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ImageError);
  expect((error as ImageError).code).toBe("bundle");
  expect((error as ImageError).message).toMatch(message);
});
