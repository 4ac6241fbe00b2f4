/**
 * The units of the boot code stand in an order: each uses only what stands before it. So there is
 * no circle among them, and a reader can begin with the first.
 */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const BOOT = new URL("../../../runtime/kernel/boot/", import.meta.url);
const read = (name: string) => readFileSync(new URL(name, BOOT), "utf8");

/** The lowest first. core-glue.c is generated, on top of all but start.c. */
const ORDER = [
  "libc.c",
  "serial.c",
  "panic.c",
  "wasm-rt.c",
  "regions.c",
  "loader.c",
  "memory.c",
  "platform/acpi.c",
  "platform/power.c",
  "platform/apic.c",
  "platform/ioapic.c",
  "platform/pic.c",
  "platform/lines.c",
  "trap.c",
  "platform/timers.c",
  "platform/rate.c",
  "platform/clock.c",
  "platform/date.c",
  "platform/alarm.c",
  "platform/wait.c",
  "engine.c",
  "contained.c",
  "suspended.c",
  "buffers.c",
  "heap.c",
  "messages.c",
  "machine.c",
  "policy.c",
  "script.c",
  "program.c",
  "start.c",
];
const GLUE = [
  "core_start",
  "core_ledger",
  "callees",
  "callee_names",
  "callee_count",
  "machine_callees",
];

/** Without comments, text and #include lines. */
function code(name: string): string {
  return read(name).replace(/\/\*[\s\S]*?\*\/|"(?:\\.|[^"\\])*"|^#include.*$/gm, " ");
}

/** Functions and variables that a file defines for others to use. */
function defined(text: string): string[] {
  const functions = text.matchAll(
    /^(?!static|typedef|extern|#)\w[\w ]*?[ *]+(\w+)\([^;{]*\)\s*\{/gm,
  );
  const variables = text.matchAll(/^(?!static|typedef|extern|#)\w[\w ]* (\w+)(?:\[\w*\])?;/gm);
  return [...functions, ...variables].map((match) => match[1] as string);
}

describe("the units of the boot code", () => {
  it("are all in the order", () => {
    const names = readdirSync(BOOT, { recursive: true, encoding: "utf8" });
    expect(names.filter((name) => name.endsWith(".c")).sort()).toEqual([...ORDER].sort());
  });

  it("have their sections in kernel.h in the same order", () => {
    const sections = [...read("kernel.h").matchAll(/^\/\* -+ ([\w/-]+\.c)\b/gm)].map(
      ([, name]) => name,
    );
    expect(sections).toEqual([...ORDER.filter((name) => sections.includes(name)), "core-glue.c"]);
  });

  it.each(ORDER)("%s uses no unit that stands after it", (name) => {
    const later = ORDER.slice(ORDER.indexOf(name) + 1);
    const names = later.flatMap((other) => defined(code(other)));
    const above = name === "start.c" ? [] : [...names, ...GLUE];
    const text = code(name);
    expect(above.filter((one) => new RegExp(`\\b${one}\\b`).test(text))).toEqual([]);
  });

  it("are looked through for what they define", () => {
    expect(defined(code("platform/clock.c"))).toEqual(["clock_start", "clock_now"]);
    expect(defined(code("platform/wait.c"))).toEqual(["wait_not", "wait_until", "wait_amid"]);
    expect(defined(code("regions.c"))).toContain("regions");
    expect(defined(code("engine.c"))).toContain("engine_fault");
  });
});
