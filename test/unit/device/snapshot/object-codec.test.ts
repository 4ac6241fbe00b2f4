/** Values as text and back. Invariant: what comes back is equal, and what was one is one again. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GraphReader, GraphWriter } from "../../../../src/device/snapshot/object-codec.ts";

class Counter {
  count = 0;
}

const classes = { Counter };
const part = { name: "a part" };
const names = {
  nameOf: (object: object) => (object === part ? "part" : undefined),
  named: (name: string) => (name === "part" ? part : undefined),
};

function copy(value: unknown): unknown {
  const writer = new GraphWriter(names, classes);
  const root = writer.write(value);
  const text = JSON.stringify({ root, objects: writer.objects });
  const read = JSON.parse(text) as { root: unknown; objects: GraphWriter["objects"] };
  return new GraphReader(names, classes, read.objects).read(read.root);
}

describe("a copy", () => {
  it.each<[string, unknown]>([
    ["nothing", undefined],
    ["null", null],
    ["a fraction", -1.5],
    ["infinity", Number.POSITIVE_INFINITY],
    ["text", "text"],
    ["a large integer", 2n ** 70n],
    ["a list", [undefined, [1, 2n]]],
    ["a record", { a: 1, b: undefined }],
    ["bytes", new Uint8Array([0, 255])],
    ["words", new Uint32Array([0xffff_ffff, 7])],
    ["a set", new Set([1, "one", 1n])],
    ["a map", new Map<unknown, unknown>([[1, { deep: new Map([["key", [1n]]]) }]])],
  ])("of %s is equal", (_what, value) => {
    expect(copy(value)).toEqual(value);
  });

  it("of anything that JSON can say is equal", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(copy(value)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it("has one object where there was one, and circles where there were circles", () => {
    const shared = { n: 1 };
    const circle: { self?: unknown } = {};
    circle.self = circle;
    const made = copy({ list: [shared, shared], keys: new Map([[shared, 1]]), circle }) as {
      list: object[];
      keys: Map<object, number>;
      circle: { self: unknown };
    };
    expect(made.list[0]).toBe(made.list[1]);
    expect(made.keys.get(made.list[0] as object)).toBe(1);
    expect(made.circle.self).toBe(made.circle);
    expect(made.list[0]).not.toBe(shared);
  });

  it("has parts by name, and objects of known classes", () => {
    const counter = Object.assign(new Counter(), { count: 3 });
    const [seen, made] = copy([part, counter]) as [object, Counter];
    expect(seen).toBe(part);
    expect(made).toBeInstanceOf(Counter);
    expect(made.count).toBe(3);
  });
});

it("somebody who is not there is forgotten", () => {
  const objects = [
    ["set", ["named", "nobody"], ["named", "part"], ["undefined"]],
    ["map", ["named", "nobody"], 1, ["named", "part"], 2],
  ] as const;
  const reader = new GraphReader(names, classes, objects);
  expect(reader.read(["named", "nobody"])).toBeUndefined();
  expect(reader.read(["object", 0])).toEqual(new Set([part, undefined]));
  expect(reader.read(["object", 1])).toEqual(new Map([[part, 2]]));
});

describe("what cannot be copied", () => {
  it.each([
    ["a function", () => 1, /function/],
    ["an object of a class that nobody named", { inner: new Date(0) }, /a Date has no name/],
  ])("%s", (_what, value, message) => {
    expect(() => copy(value)).toThrow(message);
  });

  it.each([
    [["object", 5], /there is no object 5/],
    [["mystery"], /unknown tag/],
  ])("text that says %j", (coded, message) => {
    expect(() => new GraphReader(names, classes, []).read(coded)).toThrow(message);
  });

  it("an object of a kind that is unknown here", () => {
    const reader = new GraphReader(names, classes, [["class Stranger"]]);
    expect(() => reader.read(["object", 0])).toThrow(/unknown kind/);
  });
});
