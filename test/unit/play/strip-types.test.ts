/** Types are taken out of scripts: the rest is what esbuild makes of them, and stands where it stood. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { transform } from "esbuild";
import { describe, expect, it } from "vitest";
import { NotStrippable, stripTypes } from "../../../src/play/page/typescript/strip-types.ts";

const FOLDERS = ["src", "runtime", "assembly"];

/** A source as a script: without what connects modules, or is for other readers. */
function asScript(text: string): string {
  return text
    .replace(/^(?:import|export) (?:[^;"`]* from )?"[^"]*";$/gm, "")
    .replace(/^export \{[^}]*\};$/gm, "")
    .replace(/^export (?:default )?/gm, "")
    .replace(/^(?:#!.*|@unmanaged)$/gm, "");
}

const tsconfigRaw = {
  compilerOptions: { target: "esnext", useDefineForClassFields: true, verbatimModuleSyntax: true },
} as const;

async function plain(text: string, loader: "ts" | "js"): Promise<string> {
  const { code } = await transform(text, {
    loader,
    target: "esnext",
    minifyWhitespace: true,
    minifySyntax: true,
    ...(loader === "ts" && { tsconfigRaw }),
  });
  return code;
}

describe("a script without its types", () => {
  it("is what esbuild makes of it, for the sources of this project", async () => {
    const wrong: string[] = [];
    let seen = 0;
    for (const folder of FOLDERS) {
      for (const name of await readdir(folder, { recursive: true })) {
        if (!name.endsWith(".ts") || name.endsWith(".d.ts")) continue;
        const path = join(folder, name);
        const text = asScript(await readFile(path, "utf8"));
        try {
          const stripped = stripTypes(text);
          if (stripped.split("\n").length !== text.split("\n").length) wrong.push(`${path}: lines`);
          if ((await plain(stripped, "js")) !== (await plain(text, "ts"))) wrong.push(path);
          seen += 1;
        } catch (error) {
          wrong.push(`${path}: ${error}`);
        }
      }
    }
    console.log(`${seen} sources`);
    expect(seen).toBeGreaterThan(300);
    expect(wrong).toEqual([]);
  }, 60_000);

  it.each([
    ["let a: number = 1", "let a         = 1"],
    ["a as Map<string, B<C>> < 2", "a                      < 2"],
    ["a<b>(c)", "a   (c)"],
    ["a < b && c > (d)", "a < b && c > (d)"],
    ["x!.y! + z!", "x .y  + z "],
    ["a ? (b) : c => d", "a ? (b) : c => d"],
    ["a ? (b: T): U => c : d", "a ? (b   )    => c : d"],
    ["async <T>(a?: T) => a", "async    (a    ) => a"],
    ["(a): { b: 1,\n c: 2 } => 1", ""],
    ["type A = 1 | 2;\na", ";              \na"],
    ["const type = 1, as = type as any", "const type = 1, as = type       "],
    [`\`\${a as T} \${b}\``, `\`\${a     } \${b}\``],
    ["class A<T> { private b?: T = /[/]:x/; c!: D; abstract e(): F }", ""],
    ["({ get a(): T { return 1 }, async *b<T>() {}, c: d as E, f })", ""],
    ["for (const a of b as C[]) if (a satisfies D) e(<F>a)", ""],
    ["function a(this: B, [c]: D, { e: f = 1 }: G = {}, ...h: I[]): asserts c is J {}", ""],
    ["switch (a as B) { case c as D: break; default: e! }", ""],
    [
      "type A<B> = B extends [infer C extends string] ? (d: C) => void : " + `\`x\${C & string}\``,
      "",
    ],
    ["let a: { b: 1 }[] | typeof c.d | (new () => E) | unique symbol | -1", ""],
  ])("reads %j", async (text, wanted) => {
    const stripped = stripTypes(text);
    if (wanted !== "") expect(stripped).toBe(wanted);
    expect(await plain(stripped, "js")).toBe(await plain(text, "ts"));
  });

  it.each([
    ["\nenum A { B }", "line 2: an enum has code of its own here"],
    ["const enum A { B }", "an enum"],
    ["namespace A { b() }", "a namespace"],
    ["class A { constructor(private b: C) {} }", "a parameter property"],
    ['import { a } from "b"', "a script imports nothing"],
    ["export const a = 1", "a script exports nothing"],
  ])("refuses what has code of its own, as in %j", (text, seen) => {
    expect(() => stripTypes(text)).toThrow(NotStrippable);
    expect(() => stripTypes(text)).toThrow(seen);
  });

  it.each(["let = = 1", "a b", "(", `\`\${`, '"', "class {"])(
    "leaves %j as it is, for the engine to tell what is wrong",
    (text) => {
      expect(stripTypes(text)).toBe(text);
    },
  );
});
